package totora.classic;

import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListener;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * What one scenario works with: a topic and a consumer group that are new to
 * the cluster, and the clients that it started, which end with it.
 *
 * <p>Thread safety: confined to the scenario's thread.
 */
final class Run implements AutoCloseable {
  /** Decides what becomes of a message that came for the `times`th time. */
  interface Handler {
    ConsumeConcurrentlyStatus handle(int times, MessageExt message,
        ConsumeConcurrentlyContext context);
  }

  static final Handler TAKE = (times, message, context) ->
      ConsumeConcurrentlyStatus.CONSUME_SUCCESS;

  final String namesrv;
  final String topic;
  final String group;
  private final long patienceMs;
  private final List<Runnable> endings = new ArrayList<>();
  private int instances;
  private DefaultMQProducer producer;

  Run(String scenario, String namesrv, long patienceMs) {
    // Not the time: other versions of this program start in the same millisecond.
    String stamp = Long.toString(new SecureRandom().nextLong() >>> 1, 36);
    this.namesrv = namesrv;
    this.topic = "classic-" + scenario + "-" + stamp;
    this.group = "cg-" + scenario + "-" + stamp;
    this.patienceMs = patienceMs;
  }

  /** Ends what was started, newest first. */
  @Override
  public void close() {
    for (int i = endings.size() - 1; i >= 0; i--) {
      endings.get(i).run();
    }
  }

  void atEnd(Runnable ending) {
    endings.add(ending);
  }

  /** Clients of one process share connections unless their instances have names of their own. */
  String instance(String kind) {
    return kind + "-" + group + "-" + ++instances;
  }

  DefaultMQProducer producer() throws Exception {
    if (producer == null) {
      producer = newProducer();
      producer.start();
      atEnd(producer::shutdown);
    }
    return producer;
  }

  DefaultMQProducer newProducer() {
    DefaultMQProducer made = new DefaultMQProducer("pg-" + group);
    made.setNamesrvAddr(namesrv);
    made.setInstanceName(instance("producer"));
    // Correctness is judged here, also on a machine that is busy with other things.
    made.setSendMsgTimeout(10_000);
    return made;
  }

  Message message(String body) {
    String start = body.substring(0, Math.min(8, body.length()));
    Message message = new Message(topic, body.getBytes(StandardCharsets.ISO_8859_1));
    message.setKeys("key-" + start);
    message.putUserProperty("own", "property of " + start);
    return message;
  }

  SendResult send(Message message) throws Exception {
    return check(producer().send(message));
  }

  SendResult check(SendResult result) {
    if (result.getSendStatus() != SendStatus.SEND_OK || result.getMsgId() == null
        || result.getOffsetMsgId() == null) {
      throw new Failure("sent: %s", result);
    }
    return result;
  }

  void sendAll(Collection<String> bodies, String tag) throws Exception {
    for (String body : bodies) {
      Message message = message(body);
      message.setTags(tag);
      send(message);
    }
  }

  void sendAll(Collection<String> bodies) throws Exception {
    sendAll(bodies, "");
  }

  DefaultMQPushConsumer newConsumer(String tags) throws Exception {
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
    consumer.setNamesrvAddr(namesrv);
    consumer.setInstanceName(instance("consumer"));
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.subscribe(topic, tags);
    return consumer;
  }

  DefaultMQPushConsumer start(DefaultMQPushConsumer consumer, MessageListener listener)
      throws Exception {
    if (listener instanceof MessageListenerOrderly) {
      consumer.registerMessageListener((MessageListenerOrderly) listener);
    } else {
      consumer.registerMessageListener((MessageListenerConcurrently) listener);
    }
    consumer.start();
    atEnd(consumer::shutdown);
    return consumer;
  }

  DefaultMQPushConsumer startConsumer(Received received, Handler handler) throws Exception {
    DefaultMQPushConsumer consumer = newConsumer("*");
    return start(consumer, listener(consumer.getInstanceName(), received, handler));
  }

  DefaultMQPushConsumer startConsumer(Received received) throws Exception {
    return startConsumer(received, TAKE);
  }

  /** Batches of listeners have one message unless the consumer is told otherwise. */
  static MessageListenerConcurrently listener(String name, Received received, Handler handler) {
    return (messages, context) -> {
      ConsumeConcurrentlyStatus status = ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
      for (MessageExt message : messages) {
        int times = received.add(name, message);
        if (handler.handle(times, message, context)
            != ConsumeConcurrentlyStatus.CONSUME_SUCCESS) {
          status = ConsumeConcurrentlyStatus.RECONSUME_LATER;
        }
      }
      return status;
    };
  }

  /** Waits until `condition` holds; fails with `what` when patience is over. */
  long await(String what, Callable<Boolean> condition) throws Exception {
    long began = System.currentTimeMillis();
    while (!condition.call()) {
      if (System.currentTimeMillis() - began > patienceMs) {
        throw new Failure("%s: not within %d s", what, patienceMs / 1000);
      }
      Thread.sleep(10);
    }
    return System.currentTimeMillis() - began;
  }

  /** Returns once `received` has exactly `bodies`, each as often as it may come. */
  void await(Received received, Collection<String> bodies) throws Exception {
    try {
      await("messages", () -> received.count() >= bodies.size());
    } catch (Failure late) {
      received.checkExactly(bodies);
    }
    Thread.sleep(500);  // What comes too often comes soon.
    received.checkExactly(bodies);
  }

  void awaitOnce(Received received, Collection<String> bodies) throws Exception {
    await(received, bodies);
    received.checkOnce();
  }

  static List<String> numbered(String prefix, int count) {
    List<String> bodies = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      bodies.add(prefix + i);
    }
    return bodies;
  }
}
