package totora.classic;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Scenarios about producers. */
final class Sending {
  /** RocketMQ's MESSAGE_ILLEGAL; its class is elsewhere in 4.x. */
  private static final int MESSAGE_ILLEGAL = 13;
  private static final int BODY_BYTES_MAX = 4 << 20;

  private Sending() {}

  static String sync(Run r) throws Exception {
    List<String> bodies = Run.numbered("sync-", 200);
    r.producer();
    long began = System.nanoTime();
    r.sendAll(bodies, "t");
    double each = (System.nanoTime() - began) / 1e6 / bodies.size();
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, bodies);
    MessageExt m = received.of("sync-7").get(0).message;
    if (!"t".equals(m.getTags()) || !"key-sync-7".equals(m.getKeys())
        || !"property of sync-7".equals(m.getUserProperty("own"))) {
      throw new Failure("properties: %s", m.getProperties());
    }
    return String.format("%d sends, %.2f ms each", bodies.size(), each);
  }

  static String async(Run r) throws Exception {
    List<String> bodies = Run.numbered("async-", 1000);
    DefaultMQProducer producer = r.producer();
    CountDownLatch open = new CountDownLatch(bodies.size());
    AtomicReference<Throwable> failure = new AtomicReference<>();
    long began = System.nanoTime();
    for (String body : bodies) {
      producer.send(r.message(body), new SendCallback() {
        @Override
        public void onSuccess(SendResult result) {
          open.countDown();
        }

        @Override
        public void onException(Throwable e) {
          failure.set(e);
          open.countDown();
        }
      });
    }
    if (!open.await(30, TimeUnit.SECONDS)) {
      throw new Failure("%d callbacks did not come", open.getCount());
    }
    double seconds = (System.nanoTime() - began) / 1e9;
    if (failure.get() != null) {
      throw new Failure("callback: %s", failure.get());
    }
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, bodies);
    return String.format("%.0f sends a second", bodies.size() / seconds);
  }

  static String oneWay(Run r) throws Exception {
    List<String> bodies = Run.numbered("oneway-", 200);
    for (String body : bodies) {
      r.producer().sendOneway(r.message(body));
    }
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, bodies);
    return "";
  }

  static String batch(Run r) throws Exception {
    List<String> bodies = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      List<String> part = Run.numbered("batch-" + i + "-", 25);
      sendBatch(r, part);
      bodies.addAll(part);
    }
    int parts = sendSplit(r, bodies);
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, bodies);
    Set<String> ids = new HashSet<>();
    bodies.forEach(body -> ids.add(received.of(body).get(0).message.getMsgId()));
    if (ids.size() != bodies.size()) {
      throw new Failure("%d ids for %d messages", ids.size(), bodies.size());
    }
    return String.format("%d messages, 2000 of them in %d parts", bodies.size(), parts);
  }

  /** 2,000 messages of 1 KiB, cut where a part would exceed 1 MiB, as the official example does. */
  private static int sendSplit(Run r, List<String> bodies) throws Exception {
    char[] padding = new char[1000];
    Arrays.fill(padding, 'x');
    List<String> part = new ArrayList<>();
    int parts = 0;
    int bytes = 0;
    for (int i = 0; i < 2000; i++) {
      String body = "split-" + i + "-" + new String(padding);
      int size = body.length() + 200;
      if (bytes + size > 1000_000) {
        sendBatch(r, part);
        parts++;
        part = new ArrayList<>();
        bytes = 0;
      }
      part.add(body);
      bodies.add(body);
      bytes += size;
    }
    sendBatch(r, part);
    return parts + 1;
  }

  private static void sendBatch(Run r, List<String> bodies) throws Exception {
    List<Message> messages = new ArrayList<>();
    bodies.forEach(body -> messages.add(r.message(body)));
    SendResult result = r.check(r.producer().send(messages));
    for (String ids : Arrays.asList(result.getMsgId(), result.getOffsetMsgId())) {
      if (ids.split(",").length != bodies.size()) {
        throw new Failure("%d ids for %d messages", ids.split(",").length, bodies.size());
      }
    }
  }

  /** What the client packs, what it does not, the largest body, and one byte more. */
  static String large(Run r) throws Exception {
    byte[] bytes = new byte[BODY_BYTES_MAX + 1];
    new Random(7).nextBytes(bytes);
    String most = new String(bytes, 0, BODY_BYTES_MAX, StandardCharsets.ISO_8859_1);
    String packed = new String(new char[500_000]).replace('\0', 'a');
    String noise = most.substring(0, 500_000);
    r.sendAll(Arrays.asList(packed, noise, "small"));
    DefaultMQProducer plain = r.newProducer();
    plain.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
    plain.setMaxMessageSize(16 << 20);  // Lets the broker decide.
    plain.start();
    r.atEnd(plain::shutdown);
    r.check(plain.send(r.message(most)));
    int code = 0;
    String remark = "accepted";
    try {
      plain.send(new Message(r.topic, bytes));
    } catch (MQBrokerException e) {
      code = e.getResponseCode();
      remark = e.getErrorMessage();
    }
    if (code != MESSAGE_ILLEGAL) {
      throw new Failure("a body of 4 MiB and one byte: code %d, %s", code, remark);
    }
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, Arrays.asList(packed, noise, "small", most));
    return "above 4 MiB: " + remark;
  }

  /** The first send makes the topic, with as many queues as the client asks for. */
  static String autoCreate(Run r) throws Exception {
    long began = System.nanoTime();
    r.producer();
    r.send(r.message("first"));
    long took = (System.nanoTime() - began) / 1_000_000;
    int asked = r.producer().getDefaultTopicQueueNums();
    r.await("a route", () -> queues(r) == asked);
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, Collections.singletonList("first"));
    return String.format("%d queues, the first send took %d ms", asked, took);
  }

  private static int queues(Run r) {
    try {
      return r.producer().fetchPublishMessageQueues(r.topic).size();
    } catch (Exception e) {
      return 0;
    }
  }

  /** Programs make topics like this one, by the name of the default topic. */
  static String createTopic(Run r) throws Exception {
    Versions.createTopic(r.producer(), "TBW102", r.topic, 6);
    List<MessageQueue> queues = r.producer().fetchPublishMessageQueues(r.topic);
    if (queues.size() != 6) {
      throw new Failure("%d queues", queues.size());
    }
    Versions.createTopic(r.producer(), "TBW102", r.topic, 6);  // Again: no harm.
    List<String> bodies = new ArrayList<>();
    for (MessageQueue queue : queues) {
      String body = "to-" + queue.getQueueId();
      bodies.add(body);
      SendResult result = r.check(r.producer().send(r.message(body), queue));
      if (result.getMessageQueue().getQueueId() != queue.getQueueId()) {
        throw new Failure("sent to queue %d: %s", queue.getQueueId(), result);
      }
    }
    Received received = new Received();
    r.startConsumer(received);
    r.awaitOnce(received, bodies);
    return "6 queues";
  }

  /** One Message object sent again on purpose is stored again each time. */
  static String resend(Run r) throws Exception {
    Message message = r.message("again");
    Set<String> stored = new HashSet<>();
    for (int i = 0; i < 5; i++) {
      stored.add(r.send(message).getOffsetMsgId());
      Thread.sleep(i * 100L);
    }
    Received received = new Received();
    r.startConsumer(received);
    r.await("the message, five times", () -> received.of("again").size() >= 5);
    Thread.sleep(1000);
    Set<String> ids = new HashSet<>();
    received.of("again").forEach(delivery -> ids.add(delivery.message.getMsgId()));
    if (received.of("again").size() != 5 || stored.size() != 5 || ids.size() != 1) {
      throw new Failure("it came %d times, was stored at %d places, has %d ids",
          received.of("again").size(), stored.size(), ids.size());
    }
    return "5 sends, 5 messages, 1 id";
  }

  static String query(Run r) throws Exception {
    List<SendResult> results = new ArrayList<>();
    for (String body : Run.numbered("query-", 8)) {
      results.add(r.send(r.message(body)));
    }
    DefaultMQProducer producer = r.producer();
    SendResult third = results.get(3);
    expect("query-3", producer.viewMessage(r.topic, third.getOffsetMsgId()));
    expect("query-3", producer.viewMessage(r.topic, third.getMsgId()));
    long now = System.currentTimeMillis();
    QueryResult found =
        producer.queryMessage(r.topic, "key-query-5", 32, now - 600_000, now + 1000);
    if (found.getMessageList().size() != 1) {
      throw new Failure("%d messages with the key", found.getMessageList().size());
    }
    expect("query-5", found.getMessageList().get(0));
    return "by offset id, unique id and key";
  }

  private static void expect(String body, MessageExt message) {
    if (message == null || !Received.text(message).equals(body)) {
      throw new Failure("%s expected, got %s", body, message);
    }
  }

  /** What the broker does not do yet is refused with a text, neither ignored nor left hanging. */
  static String refused(Run r) throws Exception {
    TransactionMQProducer producer = new TransactionMQProducer("tx-" + r.group);
    producer.setNamesrvAddr(r.namesrv);
    producer.setInstanceName(r.instance("transaction"));
    producer.setTransactionListener(new TransactionListener() {
      @Override
      public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        return LocalTransactionState.COMMIT_MESSAGE;
      }

      @Override
      public LocalTransactionState checkLocalTransaction(MessageExt message) {
        return LocalTransactionState.COMMIT_MESSAGE;
      }
    });
    producer.start();
    r.atEnd(producer::shutdown);
    r.send(r.message("first"));
    String half = refusal(() -> producer.sendMessageInTransaction(r.message("half"), null));
    DefaultMQPushConsumer consumer = r.newConsumer("*");
    consumer.unsubscribe(r.topic);
    consumer.subscribe(r.topic, MessageSelector.bySql("a > 1"));
    String sql = refusal(() -> {
      r.start(consumer, Run.listener("sql", new Received(), Run.TAKE));
      return null;
    });
    if (!half.contains("transactions are not supported") || !sql.contains("not supported")) {
      throw new Failure("half message: %s; SQL92: %s", half, sql);
    }
    return "a half message, SQL92";
  }

  private static String refusal(Callable<?> call) throws Exception {
    try {
      call.call();
      return "taken";
    } catch (MQClientException e) {
      return Failure.reason(e);
    }
  }
}
