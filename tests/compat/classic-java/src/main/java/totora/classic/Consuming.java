package totora.classic;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Scenarios about push consumers. */
final class Consuming {
  private Consuming() {}

  static String tags(Run r) throws Exception {
    List<String> wanted = new ArrayList<>(Run.numbered("a-", 50));
    wanted.addAll(Run.numbered("b-", 50));
    r.sendAll(wanted.subList(0, 50), "a");
    r.sendAll(Run.numbered("c-", 50), "c");
    r.sendAll(wanted.subList(50, 100), "b");
    Received received = new Received();
    r.start(r.newConsumer("a || b"), Run.listener("one", received, Run.TAKE));
    r.awaitOnce(received, wanted);
    return "";
  }

  /** A consumer that comes back goes on where its group was. */
  static String offsets(Run r) throws Exception {
    List<String> before = Run.numbered("before-", 100);
    r.sendAll(before);
    Received first = new Received();
    DefaultMQPushConsumer consumer = r.startConsumer(first);
    r.awaitOnce(first, before);
    consumer.shutdown();
    List<String> after = Run.numbered("after-", 100);
    r.sendAll(after);
    Received second = new Received();
    r.startConsumer(second);
    r.awaitOnce(second, after);
    return "";
  }

  private static long queuesOf(Run r, DefaultMQPushConsumer consumer) {
    return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable()
        .keySet().stream().filter(queue -> queue.getTopic().equals(r.topic)).count();
  }

  /** Messages that the client has and whose listener has not answered. */
  private static long heldBy(DefaultMQPushConsumer consumer) {
    return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable()
        .values().stream().mapToLong(queue -> queue.getMsgCount().get()).sum();
  }

  /** Two consumers share the queues; when one leaves, the other gets all. */
  static String rebalance(Run r) throws Exception {
    r.sendAll(Collections.singletonList("first"));
    List<String> bodies = new ArrayList<>(Collections.singletonList("first"));
    Received received = new Received();
    DefaultMQPushConsumer one = r.startConsumer(received);
    r.await(received, bodies);
    r.await("four queues for one", () -> queuesOf(r, one) == 4);
    // The client does so every 5 s. What was not reported comes again, rightly, to whoever
    // takes the queue over.
    one.getDefaultMQPushConsumerImpl().persistConsumerOffset();
    DefaultMQPushConsumer two = r.startConsumer(received);
    long sharing = r.await("two queues each",
        () -> queuesOf(r, one) == 2 && queuesOf(r, two) == 2);
    bodies.addAll(Run.numbered("shared-", 100));
    r.sendAll(bodies.subList(1, 101));
    r.await(received, bodies);
    if (received.consumers().size() != 2) {
      throw new Failure("only %s got messages", received.consumers());
    }
    // Else the client forgets what its listener has taken and not yet answered.
    r.await("all answered", () -> heldBy(one) == 0);
    Thread.sleep(200);
    one.shutdown();
    long alone = r.await("four queues for the one that stays", () -> queuesOf(r, two) == 4);
    bodies.addAll(Run.numbered("rest-", 100));
    r.sendAll(bodies.subList(101, 201));
    r.awaitOnce(received, bodies);
    if (sharing > 5000 || alone > 5000) {
      throw new Failure("shared after %d ms, alone after %d ms: nobody told them", sharing, alone);
    }
    return String.format("shared after %d ms, alone after %d ms", sharing, alone);
  }

  /** Queues are locked, order is kept; a listener that asks for a pause gets its message again. */
  static String orderly(Run r) throws Exception {
    List<String> bodies = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      String body = String.format("order-%d-%02d", i % 5, i / 5);
      bodies.add(body);
      r.check(r.producer().send(r.message(body), new SelectMessageQueueByHash(), i % 5));
    }
    Received received = new Received();
    Map<String, Integer> next = new HashMap<>();
    AtomicReference<String> disorder = new AtomicReference<>();
    MessageListenerOrderly listener = (messages, context) -> {
      for (MessageExt message : messages) {
        String body = Received.text(message);
        String[] parts = body.split("-");
        synchronized (next) {
          int number = next.getOrDefault(parts[1], 0);
          if (Integer.parseInt(parts[2]) != number) {
            disorder.set(body);
          }
          if (body.equals("order-3-10") && received.add("paused", message) == 1) {
            context.setSuspendCurrentQueueTimeMillis(500);
            return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
          }
          next.put(parts[1], number + 1);
        }
        if (!body.equals("order-3-10")) {
          received.add("orderly", message);
        }
      }
      return ConsumeOrderlyStatus.SUCCESS;
    };
    DefaultMQPushConsumer consumer = r.newConsumer("*");
    r.start(consumer, listener);
    r.await(received, bodies);
    r.await("the paused one again", () -> received.of("order-3-10").size() == 2);
    if (disorder.get() != null) {
      throw new Failure("%s came out of order", disorder.get());
    }
    return "";
  }

  static String broadcast(Run r) throws Exception {
    List<String> bodies = new ArrayList<>(Collections.singletonList("first"));
    r.sendAll(bodies);
    Received a = new Received();
    Received b = new Received();
    for (Received received : Arrays.asList(a, b)) {
      DefaultMQPushConsumer consumer = r.newConsumer("*");
      Versions.makeBroadcasting(consumer);
      r.start(consumer, Run.listener(consumer.getInstanceName(), received, Run.TAKE));
    }
    r.await(a, bodies);
    r.await(b, bodies);
    bodies.addAll(Run.numbered("all-", 50));
    r.sendAll(bodies.subList(1, 51));
    r.awaitOnce(a, bodies);
    r.awaitOnce(b, bodies);
    return "";
  }

  static String delay(Run r) throws Exception {
    List<String> bodies = new ArrayList<>(Collections.singletonList("at once"));
    r.sendAll(bodies);
    Received received = new Received();
    r.startConsumer(received);
    r.await(received, bodies);
    Message message = r.message("five seconds");
    message.setDelayTimeLevel(2);
    long sent = System.currentTimeMillis();
    r.send(message);
    bodies.add("five seconds");
    r.awaitOnce(received, bodies);
    long took = received.of("five seconds").get(0).ms - sent;
    if (took < 5000 || took > 7000) {
      throw new Failure("level 2 came after %d ms", took);
    }
    return String.format("level 2 after %d ms", took);
  }

  /** A message that failed comes again after ten seconds, with one reconsume time. */
  static String retry(Run r) throws Exception {
    r.sendAll(Collections.singletonList("fails once"), "t");
    Received received = new Received();
    r.startConsumer(received, (times, message, context) -> times == 1
        ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
    r.await("the second time", () -> received.of("fails once").size() >= 2);
    Thread.sleep(1000);
    List<Received.Delivery> deliveries = received.of("fails once");
    MessageExt again = deliveries.get(1).message;
    long took = deliveries.get(1).ms - deliveries.get(0).ms;
    if (deliveries.size() != 2 || again.getReconsumeTimes() != 1 || took < 9000) {
      throw new Failure("%d times, again after %d ms with %d reconsume times", deliveries.size(),
          took, again.getReconsumeTimes());
    }
    if (!again.getTopic().equals(r.topic) || !"t".equals(again.getTags())
        || !again.getMsgId().equals(deliveries.get(0).message.getMsgId())) {
      throw new Failure("again: %s", again);
    }
    return String.format("again after %d ms", took);
  }

  /** A message that fails too often ends in %DLQ%group, from where it can be consumed. */
  static String deadLetter(Run r) throws Exception {
    r.sendAll(Collections.singletonList("fails always"));
    Received received = new Received();
    DefaultMQPushConsumer failing = r.newConsumer("*");
    failing.setMaxReconsumeTimes(2);
    r.start(failing, Run.listener("failing", received, (times, message, context) -> {
      context.setDelayLevelWhenNextConsume(1);
      return ConsumeConcurrentlyStatus.RECONSUME_LATER;
    }));
    r.await("the third attempt", () -> received.of("fails always").size() >= 3);
    Received dead = new Received();
    DefaultMQPushConsumer undertaker = new DefaultMQPushConsumer(r.group + "-dead");
    undertaker.setNamesrvAddr(r.namesrv);
    undertaker.setInstanceName(r.instance("dead"));
    undertaker.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    undertaker.subscribe("%DLQ%" + r.group, "*");
    r.start(undertaker, Run.listener("dead", dead, Run.TAKE));
    r.awaitOnce(dead, Collections.singletonList("fails always"));
    Thread.sleep(3000);  // A fourth attempt would have come by now.
    MessageExt message = dead.of("fails always").get(0).message;
    int attempts = received.of("fails always").size();
    if (attempts != 3 || !r.topic.equals(message.getProperty("RETRY_TOPIC"))
        || !"property of fails al".equals(message.getUserProperty("own"))) {
      throw new Failure("after %d attempts: %s", attempts, message);
    }
    return String.format("after %d attempts, with %d reconsume times", attempts,
        message.getReconsumeTimes());
  }
}
