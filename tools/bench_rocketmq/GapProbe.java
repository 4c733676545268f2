import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;

/**
 * One producer that sends and waits, with the settings that programs start with: prints each time
 * that passed between two acknowledged sends, if it was long, and when it ended, in ms since the
 * epoch; and the time, once a second, while sends succeed. Arguments: nameserver, topic, seconds.
 */
public class GapProbe {
  private static final long LONG_MS = 20;

  public static void main(String[] args) throws Exception {
    DefaultMQProducer producer = new DefaultMQProducer("gap_probe");
    producer.setNamesrvAddr(args[0]);
    producer.start();
    long end = System.nanoTime() + Long.parseLong(args[2]) * 1_000_000_000L;
    long stored = 0;
    long last = 0;
    long told = System.nanoTime();
    while (System.nanoTime() < end) {
      try {
        producer.send(new Message(args[1], new byte[1024]));
      } catch (Exception failed) {
        System.out.printf("failed %s%n", failed.getClass().getSimpleName());
        Thread.sleep(1);
        continue;
      }
      long now = System.nanoTime();
      if (stored++ == 0) System.out.println("ready");
      else if (now - last > LONG_MS * 1_000_000) {
        System.out.printf("gap %d %d%n", (now - last) / 1_000_000, System.currentTimeMillis());
      }
      if (now - told > 1_000_000_000L) {
        System.out.printf("at %d%n", System.currentTimeMillis());
        told = now;
      }
      last = now;
      System.out.flush();
    }
    System.out.printf("stored %d%n", stored);
    // Threads of the client that wait for a dead broker must not hold the exit.
    Runtime.getRuntime().halt(0);
  }
}
