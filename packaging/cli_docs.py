#!/usr/bin/env python3
"""Man pages and shell completions, generated from what the programs say.

Usage: cli_docs.py --bin DIR --out DIR

Asks the programs in DIR (`--help` of every command, `--describe-settings` of
the daemons) and writes OUT/man/*.1 *.5 *.8, OUT/bash/totora and OUT/zsh/_totora.
Whatever a program prints that is not understood is an error: a help text that
changes its shape must not lead to pages with holes. Two runs over the same
programs write the same bytes.
"""

import argparse
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass, field

# CLI11 prints descriptions from this column on, or alone on lines of their own.
DESCRIPTION_COLUMN = 30
SUMMARIES = {
    "totora-broker": "a replica of a group: takes, keeps and delivers messages",
    "totora-namesrv": "tells clients and brokers who leads",
}


class HelpError(Exception):
    """A help text that this script does not understand."""


@dataclass
class Entry:
    """A line of a section: what is written, of which type, and what it is for."""

    names: list[str]
    type: str = ""
    about: str = ""

    @property
    def takes_value(self):
        return self.type != ""

    @property
    def choices(self):
        found = re.search(r":\{([^}]*)\}", self.type)
        return found.group(1).split(",") if found else []

    @property
    def is_folder(self):
        return any(name in ("--dir", "--data-dir") for name in self.names)


@dataclass
class Command:
    path: list[str]
    about: str = ""
    usage: str = ""
    positionals: list[Entry] = field(default_factory=list)
    options: list[Entry] = field(default_factory=list)
    subcommands: list["Command"] = field(default_factory=list)

    def walk(self):
        yield self
        for command in self.subcommands:
            yield from command.walk()


def run(program, *arguments):
    result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    if result.returncode != 0 or not result.stdout:
        raise HelpError(f"{program} {' '.join(arguments)}: status {result.returncode}, {result.stderr}")
    return result.stdout


def parse_entry(head, about):
    """"-t,--topic TEXT REQUIRED" or "create"."""
    words, _, kind = head.partition(" ")
    names = [re.sub(r"\{[^}]*\}$", "", name) for name in re.split(r",(?![^{]*\})", words)]
    return Entry(names, kind.strip(), about)


def parse_section(lines):
    """Pairs of what stands left and its description."""
    entries = []
    for line in lines:
        if line.startswith("  ") and not line.startswith("   "):
            head, about = line[2:DESCRIPTION_COLUMN], line[DESCRIPTION_COLUMN:]
            if len(line) > DESCRIPTION_COLUMN and line[DESCRIPTION_COLUMN - 1] != " ":
                head, about = line[2:], ""  # Too long for its column; the next line describes it.
            entries.append([head.strip(), about.strip()])
        elif line.startswith(" " * DESCRIPTION_COLUMN) and entries:
            entries[-1][1] = f"{entries[-1][1]} {line.strip()}".strip()
        else:
            raise HelpError(f"not understood: {line!r}")
    return entries


def read_command(program, path):
    """The command `path` of `program`, and all below it."""
    text = run(program, *path[1:], "--help")
    sections, current, head = {}, None, []
    for line in text.splitlines():
        title = re.fullmatch(r"(Positionals|Options|Subcommands):", line)
        if title:
            current = sections.setdefault(title.group(1), [])
        elif not line.strip():
            continue
        elif current is None:
            head.append(line)
        else:
            current.append(line)
    if not head or not head[-1].startswith("Usage: "):
        raise HelpError(f"{' '.join(path)} --help has no line of usage")
    command = Command(path, " ".join(head[:-1]), head[-1][len("Usage: "):])
    command.positionals = [parse_entry(*pair) for pair in parse_section(sections.get("Positionals", []))]
    command.options = [parse_entry(*pair) for pair in parse_section(sections.get("Options", []))]
    for name, _ in parse_section(sections.get("Subcommands", [])):
        command.subcommands.append(read_command(program, [*path, name]))
    return command


# --- man pages ---------------------------------------------------------------


def roff(text):
    """Plain text, escaped."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = escaped.replace("`", "\\(ga")
    return "\\&" + escaped if escaped.startswith(".") else escaped


def page_head(name, section, summary, version):
    # No date: it would make two builds of one commit differ.
    return [
        f'.TH "{roff(name.upper())}" "{section}" "" "Totora {version}" "Totora"',
        ".nh",
        ".SH NAME",
        f"{roff(name)} \\- {roff(summary)}",
    ]


def entry_lines(entry):
    value = f" \\fI{roff(entry.type)}\\fR" if entry.type else ""
    names = ", ".join(f"\\fB{roff(name)}\\fR" for name in entry.names)
    return [".TP", f"{names}{value}", roff(entry.about) or "\\&"]


def own_options(command):
    return [option for option in command.options if "--help" not in option.names]


def command_page(command, version):
    name = "-".join(command.path)
    lines = page_head(name, 1, command.about, version)
    lines += [".SH SYNOPSIS"]
    for part in command.walk():
        if not part.subcommands:
            lines += [f".B {roff(part.usage)}", ".br"]
    for part in command.walk():
        if part.subcommands:
            continue
        lines += [f".SH {roff(' '.join(part.path[1:]).upper())}", roff(part.about)]
        for entry in [*part.positionals, *own_options(part)]:
            lines += entry_lines(entry)
    lines += [".SH SEE ALSO", "\\fBtotora\\fR(1), also for the options that every command takes"]
    return "\n".join(lines) + "\n"


EXIT_CODES = [
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage, or a value that the broker refuses"),
    ("3", "nobody answers, nobody leads, or a limit is reached; nothing was changed: try again"),
    ("4", "no such topic, consumer group or cluster; or receive got nothing"),
    ("5", "exists already, with other values"),
    ("6", "outcome unknown: it may have happened; look before repeating"),
    ("130", "interrupted"),
]


def overview_page(tool, version):
    lines = page_head("totora", 1, "the command line of Totora", version)
    lines += [".SH SYNOPSIS", f".B {roff(tool.usage)}", ".SH DESCRIPTION", roff(tool.about)]
    lines += [".SH COMMANDS"]
    for command in tool.subcommands:
        lines += [".TP", f"\\fBtotora\\-{roff(command.path[-1])}\\fR(1)", roff(command.about)]
    lines += [".SH OPTIONS", "They may stand before or behind a command's name."]
    for option in tool.options:
        lines += entry_lines(option)
    lines += [".SH ENVIRONMENT"]
    lines += entry_lines(Entry(["TOTORA_ENDPOINT"], "", "where send, receive and bench connect; 127.0.0.1:8081"))
    lines += entry_lines(Entry(["TOTORA_INTERNAL"], "", "whom every other command asks; 127.0.0.1:40911"))
    lines += [".SH EXIT STATUS"]
    for code, meaning in EXIT_CODES:
        lines += [".TP", f"\\fB{code}\\fR", roff(meaning)]
    lines += [".SH SEE ALSO", "\\fBtotora\\-broker\\fR(8), \\fBtotora\\-namesrv\\fR(8)"]
    return "\n".join(lines) + "\n"


def daemon_page(name, program, version):
    lines = page_head(name, 8, SUMMARIES[name], version)
    lines += [".SH SYNOPSIS", f".B {roff(name)}", "[\\-\\-config \\fIFILE\\fR]", ".SH OPTIONS"]
    flags = re.findall(r"^  (--[a-z-]+)(?: ([A-Z]+))?(?:  +(.*))?$", run(program, "--help"), re.M)
    if not flags:
        raise HelpError(f"{name} --help lists no flag")
    for flag, kind, about in flags:
        lines += entry_lines(Entry([flag], kind, about or "print the version and end"))
    short = name.removeprefix("totora-")
    lines += [".SH FILES"]
    lines += entry_lines(Entry([f"/etc/totora/{short}.conf"], "", "settings of the packaged service"))
    lines += [".SH SIGNALS"]
    lines += entry_lines(Entry(["SIGTERM", "SIGINT"], "", "stop gracefully"))
    lines += [".SH SEE ALSO", f"\\fB{roff(name)}.conf\\fR(5), \\fBtotora\\fR(1)"]
    return "\n".join(lines) + "\n"


def settings_page(name, program, version):
    lines = page_head(f"{name}.conf", 5, f"settings of {name}", version)
    lines += [
        ".SH DESCRIPTION",
        "Lines of \\fIkey\\fR = \\fIvalue\\fR; what begins with # is a comment. A name of RocketMQ's own",
        "may stand for a setting that says so.",
        ".SH SETTINGS",
    ]
    rows = [line for line in run(program, "--describe-settings").splitlines() if line.startswith("| `")]
    if not rows:
        raise HelpError(f"{name} --describe-settings lists no setting")
    for row in rows:
        cells = [cell.strip().replace("`", "") for cell in row.strip("|").split("|")]
        if len(cells) != 5:
            raise HelpError(f"not understood: {row!r}")
        setting, default, bounds, about, alias = cells
        facts = [f"Default: {default}." if default else "", f"Bounds: {bounds}." if bounds else "",
                 f"RocketMQ's name: {alias}." if alias else ""]
        lines += entry_lines(Entry([setting], "", " ".join([about, *filter(None, facts)])))
    lines += [".SH SEE ALSO", f"\\fB{roff(name)}\\fR(8)"]
    return "\n".join(lines) + "\n"


# --- completions -------------------------------------------------------------


def key(command):
    return " ".join(command.path)


def all_options(command, tool):
    """A command's own options and those that every command takes."""
    seen, result = set(), []
    for option in [*command.options, *tool.options]:
        if option.names[-1] not in seen and "--version" not in option.names:
            seen.add(option.names[-1])
            result.append(option)
    return result


def value_options(tool):
    """Options behind which a value follows, of whatever command."""
    return sorted({name for command in tool.walk() for option in command.options
                   if option.takes_value for name in option.names})


def walk_cases(tool):
    lines = []
    for command in tool.walk():
        for sub in command.subcommands:
            lines.append(f'      "{key(sub)}") path="{key(sub)}" ;;')
    return lines


def bash_completion(tool):
    choices = {name: option.choices for command in tool.walk() for option in command.options
               for name in option.names if option.choices}
    folders = sorted({name for command in tool.walk() for option in command.options
                      for name in option.names if option.is_folder and name.startswith("--")})
    lines = [
        "# bash completion for totora, generated from its help.",
        "_totora() {",
        '  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}',
        '  local path=totora word skip=0 i',
        "  COMPREPLY=()",
        "  for ((i = 1; i < COMP_CWORD; ++i)); do",
        "    word=${COMP_WORDS[i]}",
        "    if ((skip)); then skip=0; continue; fi",
        '    case "$word" in',
        f"      {'|'.join(value_options(tool))}) skip=1; continue ;;",
        "    esac",
        '    case "$path $word" in',
        *walk_cases(tool),
        "    esac",
        "  done",
        '  case "$previous" in',
    ]
    for name in sorted(choices):
        lines.append(f'    {name}) mapfile -t COMPREPLY < <(compgen -W "{" ".join(choices[name])}" -- "$current"); return ;;')
    if folders:
        lines.append(f'    {"|".join(folders)}) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;')
    lines += ["  esac", "  ((skip)) && return", "  local words", '  case "$path" in']
    for command in tool.walk():
        words = [sub.path[-1] for sub in command.subcommands]
        words += [name for option in all_options(command, tool) for name in option.names
                  if name.startswith("--")]
        lines.append(f'    "{key(command)}") words="{" ".join(words)}" ;;')
    lines += [
        "  esac",
        '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")',
        "}",
        "complete -F _totora totora",
    ]
    return "\n".join(lines) + "\n"


def zsh_item(name, about):
    text = f"{name.replace(':', chr(92) + ':')}:{about}"
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_completion(tool):
    lines = [
        "#compdef totora",
        "# zsh completion for totora, generated from its help.",
        "_totora() {",
        "  local command=totora word skip=0",
        "  local -a commands options",
        "  for word in ${words[2,CURRENT-1]}; do",
        "    if ((skip)); then skip=0; continue; fi",
        '    case "$word" in',
        f"      {'|'.join(value_options(tool))}) skip=1; continue ;;",
        "    esac",
        '    case "$command $word" in',
        *[line.replace(" path=", " command=") for line in walk_cases(tool)],
        "    esac",
        "  done",
        '  case "${words[CURRENT-1]}" in',
    ]
    choices = {}
    for command in tool.walk():
        for option in command.options:
            for name in option.names:
                if option.choices:
                    choices[name] = f"compadd -- {' '.join(option.choices)}; return"
                elif option.is_folder and name.startswith("--"):
                    choices[name] = "_files -/; return"
    lines += [f"    {name}) {action} ;;" for name, action in sorted(choices.items())]
    lines += ["  esac", "  if ((skip)); then _message value; return; fi", '  case "$command" in']
    for command in tool.walk():
        commands = [zsh_item(sub.path[-1], sub.about) for sub in command.subcommands]
        options = [zsh_item(name, option.about) for option in all_options(command, tool)
                   for name in option.names]
        lines.append(f'    "{key(command)}")')
        lines.append(f"      commands=({' '.join(commands)})")
        lines.append(f"      options=({' '.join(options)}) ;;")
    lines += [
        "  esac",
        "  ((${#commands})) && _describe -t commands command commands",
        "  _describe -o option options",
        "}",
        '_totora "$@"',
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    man = arguments.out / "man"
    for folder in (man, arguments.out / "bash", arguments.out / "zsh"):
        folder.mkdir(parents=True, exist_ok=True)
    tool = read_command(arguments.bin / "totora", ["totora"])
    version = run(arguments.bin / "totora", "--version").split()[-1]
    (man / "totora.1").write_text(overview_page(tool, version))
    for command in tool.subcommands:
        (man / f"totora-{command.path[-1]}.1").write_text(command_page(command, version))
    for name in SUMMARIES:
        program = arguments.bin / name
        (man / f"{name}.8").write_text(daemon_page(name, program, version))
        (man / f"{name}.conf.5").write_text(settings_page(name, program, version))
    (arguments.out / "bash" / "totora").write_text(bash_completion(tool))
    (arguments.out / "zsh" / "_totora").write_text(zsh_completion(tool))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HelpError as error:
        print(f"cli_docs: {error}", file=sys.stderr)
        sys.exit(1)
