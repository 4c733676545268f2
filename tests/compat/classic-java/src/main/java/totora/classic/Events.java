package totora.classic;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.impl.consumer.ProcessQueue;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * The two commands that a harness runs while it kills brokers: they obey and
 * report, one JSON object a line, and judge nothing. Their events are in
 * README.md; the Go program beside this one is their twin.
 */
final class Events {
  private static final int QUEUES_LOOKED_AT_EVERY_MS = 5;

  private final Map<String, String> flags;
  private final CountDownLatch stop = new CountDownLatch(1);

  private Events(Map<String, String> flags) {
    this.flags = flags;
  }

  static void send(Map<String, String> flags) throws Exception {
    new Events(flags).send();
    event("done");
  }

  static void receive(Map<String, String> flags) throws Exception {
    new Events(flags).receive();
    event("done");
  }

  /** Fields are names and values in turn. */
  private static synchronized void event(String name, Object... fields) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("event", name);
    line.put("ms", System.currentTimeMillis());
    for (int i = 0; i < fields.length; i += 2) {
      line.put((String) fields[i], fields[i + 1]);
    }
    System.out.println(Json.object(line));
    System.out.flush();
  }

  private String flag(String name) {
    String value = flags.get(name);
    if (value == null) {
      throw new IllegalArgumentException("missing --" + name);
    }
    return value;
  }

  private long number(String name, long otherwise) {
    return Long.parseLong(flags.getOrDefault(name, Long.toString(otherwise)));
  }

  /** Closing standard input, or a line on it, is how the harness ends a program. */
  private void watchStandardInput() {
    Thread reader = new Thread(() -> {
      try {
        System.in.read();
      } catch (IOException e) {
        // Standard input is gone, which means the same.
      }
      stop.countDown();
    });
    reader.setDaemon(true);
    reader.start();
  }

  private void send() throws Exception {
    watchStandardInput();
    DefaultMQProducer producer = new DefaultMQProducer("pg-" + flag("topic"));
    producer.setNamesrvAddr(flag("namesrv"));
    producer.start();
    event("ready");
    CountDownLatch ended = new CountDownLatch(1);
    Thread resender = null;
    if (number("resend-every-ms", 0) > 0) {
      resender = new Thread(() -> resend(producer, ended));
      resender.start();
    }
    long wanted = number("until-acked", Long.MAX_VALUE);
    long interval = number("interval-ms", 0);
    long acked = 0;
    for (int index = 0; acked < wanted; index++) {
      if (sendOne(producer, index)) {
        acked++;
      }
      if (stop.await(interval, TimeUnit.MILLISECONDS)) {
        break;
      }
    }
    ended.countDown();
    if (resender != null) {
      resender.join();
    }
    producer.shutdown();
  }

  private boolean sendOne(DefaultMQProducer producer, int index) throws InterruptedException {
    String body = "m-" + index + "-" + flags.getOrDefault("seed", "");
    try {
      SendResult result = producer.send(message(body));
      if (result.getSendStatus() == SendStatus.SEND_OK) {
        event("sent", "index", index, "id", result.getMsgId(), "body", body, "offset_id",
            result.getOffsetMsgId());
        return true;
      }
      event("send_failed", "index", index, "error", result);
    } catch (InterruptedException e) {
      throw e;
    } catch (Exception e) {
      event("send_failed", "index", index, "error", e);
    }
    return false;
  }

  private Message message(String body) {
    return new Message(flag("topic"), body.getBytes(StandardCharsets.UTF_8));
  }

  /** Sends one Message object over and over: each of these sends is meant. */
  private void resend(DefaultMQProducer producer, CountDownLatch ended) {
    Message message = message("again-" + flags.getOrDefault("seed", ""));
    try {
      int n = 0;
      do {
        long began = System.nanoTime();
        try {
          SendResult result = producer.send(message);
          event("resent", "n", n, "id", result.getMsgId(), "offset_id", result.getOffsetMsgId(),
              "took_ms", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
        } catch (InterruptedException e) {
          throw e;
        } catch (Exception e) {
          event("resend_failed", "n", n, "error", e);
        }
        n++;
      } while (!ended.await(number("resend-every-ms", 0), TimeUnit.MILLISECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void receive() throws Exception {
    watchStandardInput();
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(flag("group"));
    consumer.setNamesrvAddr(flag("namesrv"));
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.subscribe(flag("topic"), "*");
    consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
      for (MessageExt m : messages) {
        event("received", "id", m.getMsgId(), "body",
            new String(m.getBody(), StandardCharsets.UTF_8), "reconsume", m.getReconsumeTimes(),
            "queue", m.getQueueId(), "offset", m.getQueueOffset());
      }
      return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    });
    consumer.start();
    reportQueues(consumer);
    consumer.shutdown();
  }

  /**
   * Reports the queues until the program is told to stop. The client's own table is looked at,
   * every few milliseconds: a queue that it drops and takes again has a new ProcessQueue then, so
   * that a drop between two looks is seen too, as a lower count followed by the present one.
   */
  private void reportQueues(DefaultMQPushConsumer consumer) throws InterruptedException {
    Set<ProcessQueue> held = new HashSet<>();
    do {
      Set<ProcessQueue> now = new HashSet<>();
      consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable()
          .forEach((queue, state) -> {
            if (queue.getTopic().equals(flag("topic"))) {
              now.add(state);
            }
          });
      Set<ProcessQueue> kept = new HashSet<>(held);
      kept.retainAll(now);
      if (kept.size() < held.size()) {
        event("queues", "count", kept.size());
      }
      if (now.size() > kept.size()) {
        event("queues", "count", now.size());
        if (held.isEmpty()) {
          event("ready");
        }
      }
      held = now;
    } while (!stop.await(QUEUES_LOOKED_AT_EVERY_MS, TimeUnit.MILLISECONDS));
  }
}
