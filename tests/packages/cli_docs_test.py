#!/usr/bin/env python3
"""What packaging/cli_docs.py understands of a help text, and what it refuses."""

import pathlib
import stat
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "packaging"))
import cli_docs  # noqa: E402

HELP = {
    "--help": """\
        A tool.
        Usage: tool [OPTIONS] SUBCOMMAND

        Options:
          -h,--help                   Print this help message and exit
          -o,--output TEXT:{table,json}
                                      for people or
                                      for scripts

        Subcommands:
          send                        it sends

        """,
    "send --help": """\
        it sends
        Usage: tool send [OPTIONS] name

        Positionals:
          name TEXT REQUIRED

        Options:
          -h,--help                   Print this help message and exit
          --no-ack{false}             do not acknowledge
          --count INT:POSITIVE        how many

        """,
}


class CliDocs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tool(self, texts):
        """A program that prints `texts` by its arguments."""
        script = self.folder / "tool"
        cases = "".join(f"'{key}') cat <<'END'\n{textwrap.dedent(text)}\nEND\n;;\n" for key, text in texts.items())
        script.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}*) exit 2 ;;\nesac\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return cli_docs.read_command(script, ["tool"])

    def test_descriptions_may_go_on_in_later_lines(self):
        output = self.tool(HELP).options[1]
        self.assertEqual(output.names, ["-o", "--output"])
        self.assertEqual(output.about, "for people or for scripts")
        self.assertEqual(output.choices, ["table", "json"])

    def test_flags_take_no_value_and_options_do(self):
        send = self.tool(HELP).subcommands[0]
        self.assertEqual([(o.names[-1], o.takes_value) for o in send.options],
                         [("--help", False), ("--no-ack", False), ("--count", True)])
        self.assertEqual([p.names for p in send.positionals], [["name"]])

    def test_a_line_of_another_shape_is_refused(self):
        with self.assertRaises(cli_docs.HelpError):
            self.tool({"--help": HELP["--help"].replace("  send  ", "     send  ")})

    def test_a_command_without_help_is_refused(self):
        with self.assertRaises(cli_docs.HelpError):
            self.tool({"--help": HELP["--help"]})

    def test_what_would_be_a_request_of_roff_is_escaped(self):
        self.assertEqual(cli_docs.roff(".TH-x 'y' \\n"), "\\&.TH\\-x \\(aqy\\(aq \\en")

    def test_completions_know_the_command_and_the_value_behind_an_option(self):
        tool = self.tool(HELP)
        bash = cli_docs.bash_completion(tool)
        self.assertIn('"tool send") words="--help --no-ack --count --output"', bash)
        self.assertIn("--count|--output|-o) skip=1", bash)
        self.assertIn("'send:it sends'", cli_docs.zsh_completion(tool))


if __name__ == "__main__":
    unittest.main()
