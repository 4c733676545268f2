package totora.classic;

import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Runs the classic Java client against a nameserver and its brokers. See README.md. */
public final class Main {
  private interface Scenario {
    String run(Run r) throws Exception;
  }

  private static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

  static {
    // The longest first: they mostly wait, and others may run meanwhile.
    SCENARIOS.put("deadletter", Consuming::deadLetter);
    SCENARIOS.put("broadcast", Consuming::broadcast);
    SCENARIOS.put("retry", Consuming::retry);
    SCENARIOS.put("sync", Sending::sync);
    SCENARIOS.put("async", Sending::async);
    SCENARIOS.put("oneway", Sending::oneWay);
    SCENARIOS.put("batch", Sending::batch);
    SCENARIOS.put("large", Sending::large);
    SCENARIOS.put("autocreate", Sending::autoCreate);
    SCENARIOS.put("createtopic", Sending::createTopic);
    SCENARIOS.put("resend", Sending::resend);
    SCENARIOS.put("query", Sending::query);
    SCENARIOS.put("refused", Sending::refused);
    SCENARIOS.put("tags", Consuming::tags);
    SCENARIOS.put("offsets", Consuming::offsets);
    SCENARIOS.put("rebalance", Consuming::rebalance);
    SCENARIOS.put("orderly", Consuming::orderly);
    SCENARIOS.put("delay", Consuming::delay);
    SCENARIOS.put("pull", Pulling::pull);
    SCENARIOS.put("litepull", Pulling::litePull);
    SCENARIOS.put("assign", Pulling::assign);
  }

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    String command = arguments.length > 0 && !arguments[0].startsWith("-") ? arguments[0] : "";
    Map<String, String> flags = flags(arguments, command.isEmpty() ? 0 : 1);
    keepFilesIn(flags.getOrDefault("files", home() + File.separator + "totora-classic-java"),
        flags.getOrDefault("log-level", "WARN"));
    int status = 0;
    if (command.isEmpty()) {
      status = scenarios(flags);
    } else if (command.equals("list")) {
      SCENARIOS.keySet().forEach(System.out::println);
    } else if (command.equals("send")) {
      Events.send(flags);
    } else if (command.equals("receive")) {
      Events.receive(flags);
    } else {
      System.err.println("commands: list, send, receive; else: -namesrv H:P [-scenarios A,B]");
      status = 2;
    }
    System.exit(status);  // Some of the client's threads are no daemons.
  }

  /** Names with one dash or two, each followed by its value. */
  private static Map<String, String> flags(String[] arguments, int from) {
    Map<String, String> flags = new HashMap<>();
    for (int i = from; i < arguments.length; i += 2) {
      if (!arguments[i].startsWith("-") || i + 1 == arguments.length) {
        throw new IllegalArgumentException("not a flag with its value: " + arguments[i]);
      }
      flags.put(arguments[i].replaceFirst("^--?", ""), arguments[i + 1]);
    }
    return flags;
  }

  /** Of the environment, which a harness can set; Java's user.home is that of the account. */
  private static String home() {
    return System.getenv().getOrDefault("HOME", System.getProperty("java.io.tmpdir"));
  }

  /** Both clients write logs, and offsets of broadcast consumers, below the home folder. */
  private static void keepFilesIn(String folder, String logLevel) {
    System.setProperty("rocketmq.client.logRoot", folder);   // 4.x
    System.setProperty("rocketmq.client.logLevel", logLevel);
    System.setProperty("rocketmq.log.root", folder);         // 5.x
    System.setProperty("rocketmq.log.level", logLevel);
    System.setProperty("rocketmq.client.localOffsetStoreDir", folder + File.separator + "offsets");
  }

  private static int scenarios(Map<String, String> flags) throws Exception {
    String namesrv = flags.getOrDefault("namesrv", "127.0.0.1:9876");
    long patienceMs = Long.parseLong(flags.getOrDefault("patience-s", "90")) * 1000;
    String only = flags.getOrDefault("scenarios", "");
    List<String> wanted = only.isEmpty() ? new ArrayList<>(SCENARIOS.keySet())
        : Arrays.asList(only.split(","));
    if (!SCENARIOS.keySet().containsAll(wanted)) {
      System.err.println("scenarios: " + String.join(", ", SCENARIOS.keySet()));
      return 2;
    }
    System.out.println("client " + Versions.ofClient());
    ExecutorService turns =
        Executors.newFixedThreadPool(Integer.parseInt(flags.getOrDefault("parallel", "1")));
    List<Future<Boolean>> runs = new ArrayList<>();
    for (String name : wanted) {
      runs.add(turns.submit(() -> perform(name, SCENARIOS.get(name), namesrv, patienceMs)));
    }
    int failed = 0;
    for (Future<Boolean> run : runs) {
      failed += run.get() ? 0 : 1;
    }
    return failed;
  }

  private static boolean perform(String name, Scenario scenario, String namesrv,
      long patienceMs) {
    long began = System.nanoTime();
    String verdict = "ok    ";
    String text;
    try (Run r = new Run(name, namesrv, patienceMs)) {
      text = scenario.run(r);
    } catch (Failure e) {
      verdict = "FAILED";
      text = e.getMessage();
    } catch (Exception e) {
      verdict = "FAILED";
      text = Failure.reason(e);
    }
    synchronized (System.out) {
      System.out.printf("%s %-11s %5.1fs  %s%n", verdict, name,
          (System.nanoTime() - began) / 1e9, text);
      System.out.flush();
    }
    return verdict.equals("ok    ");
  }
}
