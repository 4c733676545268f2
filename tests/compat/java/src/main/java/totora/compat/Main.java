package totora.compat;

import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientException;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.consumer.ConsumeResult;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.consumer.PushConsumer;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.message.Message;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;
import org.apache.rocketmq.client.apis.producer.SendReceipt;

/**
 * Drives the official client and prints what happened, one JSON object a line;
 * it judges nothing. The commands and events are described in
 * tests/compat/README.md; the Go program beside this one is its twin.
 */
public final class Main {
  private static final ClientServiceProvider PROVIDER = ClientServiceProvider.loadService();
  private static final PrintStream OUT = System.out;

  private final Map<String, String> flags;

  private Main(Map<String, String> flags) {
    this.flags = flags;
  }

  public static void main(String[] args) throws Exception {
    Map<String, String> flags = new HashMap<>();
    for (int i = 1; i + 1 < args.length; i += 2) {
      flags.put(args[i].replaceFirst("^--", ""), args[i + 1]);
    }
    Main program = new Main(flags);
    switch (args.length == 0 ? "" : args[0]) {
      case "send" -> program.send();
      case "receive-simple" -> program.receiveSimple();
      case "receive-push" -> program.receivePush();
      default -> {
        System.err.println("commands: send, receive-simple, receive-push");
        System.exit(2);
      }
    }
    event("done", Map.of());
    System.exit(0);  // Some of the client's threads are no daemons.
  }

  private String flag(String name) {
    String value = flags.get(name);
    if (value == null) {
      throw new IllegalArgumentException("missing --" + name);
    }
    return value;
  }

  private int number(String name, int otherwise) {
    return Integer.parseInt(flags.getOrDefault(name, Integer.toString(otherwise)));
  }

  private ClientConfiguration configuration() {
    return ClientConfiguration.newBuilder().setEndpoints(flag("endpoint")).enableSsl(false).build();
  }

  private static synchronized void event(String name, Map<String, ?> fields) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("event", name);
    line.put("ms", System.currentTimeMillis());
    line.putAll(fields);
    OUT.println(Json.object(line));
    OUT.flush();
  }

  private void send() throws Exception {
    int enough = number("until-acked", Integer.MAX_VALUE);
    int interval = number("interval-ms", 0);
    int acked = 0;
    try (Producer producer = PROVIDER.newProducerBuilder().setClientConfiguration(configuration())
        .setTopics(flag("topic")).build()) {
      event("ready", Map.of());
      for (Plan plan : Plan.read(Path.of(flag("plan")))) {
        if (acked == enough) {
          break;
        }
        if (sendOne(producer, plan)) {
          acked++;
        }
        if (interval > 0) {
          Thread.sleep(interval);
        }
      }
    }
  }

  private boolean sendOne(Producer producer, Plan plan) {
    var builder = PROVIDER.newMessageBuilder().setTopic(flag("topic")).setTag(plan.tag())
        .setKeys(plan.keys().toArray(new String[0])).setBody(plan.body(flag("seed")));
    plan.properties().forEach(builder::addProperty);
    Message message = builder.build();
    try {
      SendReceipt receipt = producer.send(message);
      event("sent", Map.of("index", plan.index(), "id", receipt.getMessageId().toString()));
      return true;
    } catch (ClientException | RuntimeException e) {
      event("send_failed", Map.of("index", plan.index(), "error", e.toString()));
      return false;
    }
  }

  /** Closing standard input, or a line on it, is how the harness ends a consumer. */
  private static AtomicBoolean stopRequested() {
    AtomicBoolean stop = new AtomicBoolean();
    Thread reader = new Thread(() -> {
      try {
        System.in.read();
      } catch (java.io.IOException e) {
        // Standard input is gone, which means the same.
      }
      synchronized (stop) {
        stop.set(true);
        stop.notifyAll();
      }
    });
    reader.setDaemon(true);
    reader.start();
    return stop;
  }

  private void receiveSimple() throws Exception {
    Duration invisible = Duration.ofSeconds(number("invisible-s", 10));
    int ackFrom = number("ack-from-attempt", 1);
    AtomicBoolean stop = stopRequested();
    try (SimpleConsumer consumer = PROVIDER.newSimpleConsumerBuilder()
        .setClientConfiguration(configuration()).setConsumerGroup(flag("group"))
        .setAwaitDuration(Duration.ofSeconds(4))
        .setSubscriptionExpressions(Map.of(flag("topic"), FilterExpression.SUB_ALL)).build()) {
      event("ready", Map.of());
      while (!stop.get()) {
        List<MessageView> messages;
        try {
          messages = consumer.receive(16, invisible);
        } catch (ClientException | RuntimeException e) {
          event("receive_failed", Map.of("error", e.toString()));
          Thread.sleep(100);
          continue;
        }
        for (MessageView message : messages) {
          received(message);
          if (message.getDeliveryAttempt() >= ackFrom) {
            ack(consumer, message);
          }
        }
      }
    }
  }

  private static void ack(SimpleConsumer consumer, MessageView message) {
    String id = message.getMessageId().toString();
    try {
      consumer.ack(message);
      event("acked", Map.of("id", id));
    } catch (ClientException | RuntimeException e) {
      event("ack_failed", Map.of("id", id, "error", e.toString()));
    }
  }

  private void receivePush() throws Exception {
    AtomicBoolean stop = stopRequested();
    try (PushConsumer consumer = PROVIDER.newPushConsumerBuilder()
        .setClientConfiguration(configuration()).setConsumerGroup(flag("group"))
        .setSubscriptionExpressions(Map.of(flag("topic"), FilterExpression.SUB_ALL))
        .setMessageListener(message -> {
          received(message);
          return ConsumeResult.SUCCESS;
        }).build()) {
      event("ready", Map.of("group", consumer.getConsumerGroup()));
      synchronized (stop) {
        while (!stop.get()) {
          stop.wait();
        }
      }
    }
  }

  private static void received(MessageView message) {
    ByteBuffer buffer = message.getBody();
    byte[] body = new byte[buffer.remaining()];
    buffer.get(body);
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("id", message.getMessageId().toString());
    fields.put("topic", message.getTopic());
    fields.put("size", body.length);
    fields.put("sha256", Plan.hex(Plan.sha256(body)));
    fields.put("tag", message.getTag().orElse(null));
    fields.put("keys", new ArrayList<>(message.getKeys()));
    fields.put("properties", new TreeMap<>(message.getProperties()));
    fields.put("attempt", message.getDeliveryAttempt());
    fields.put("born_ms", message.getBornTimestamp());
    event("received", fields);
  }
}
