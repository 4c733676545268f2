package totora.classic;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Scenarios about consumers that ask for messages themselves. */
final class Pulling {
  private Pulling() {}

  private static void expect(String what, Object wanted, Object got) {
    if (!wanted.equals(got)) {
      throw new Failure("%s: %s, not %s", what, got, wanted);
    }
  }

  /** Queue by queue, with every offset a program can ask for. */
  static String pull(Run r) throws Exception {
    List<String> bodies = Run.numbered("pull-", 100);
    r.sendAll(bodies, "t");
    DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(r.group);
    consumer.setNamesrvAddr(r.namesrv);
    consumer.setInstanceName(r.instance("pull"));
    consumer.start();
    r.atEnd(consumer::shutdown);
    Received received = new Received();
    Set<MessageQueue> queues = consumer.fetchSubscribeMessageQueues(r.topic);
    for (MessageQueue queue : queues) {
      long end = consumer.maxOffset(queue);
      expect("begin", 0L, consumer.minOffset(queue));
      // A new group begins at the begin of a young queue, whatever its settings say.
      expect("stored offset of a new group", 0L, consumer.fetchConsumeOffset(queue, true));
      long next = pullAll(consumer, queue, received);
      expect("next offset", end, next);
      consumer.updateConsumeOffset(queue, next);
      consumer.persist(queue);
      expect("offset by time, long ago", 0L, consumer.searchOffset(queue, 1_000_000_000_000L));
      if (consumer.earliestMsgStoreTime(queue) < System.currentTimeMillis() - 3_600_000) {
        throw new Failure("earliest: %d", consumer.earliestMsgStoreTime(queue));
      }
      r.await("the stored offset", () -> consumer.fetchConsumeOffset(queue, true) == end);
    }
    r.awaitOnce(received, bodies);
    MessageQueue queue = queues.iterator().next();
    long end = consumer.maxOffset(queue);
    expect("beyond the end", PullStatus.OFFSET_ILLEGAL,
        consumer.pull(queue, "*", end + 100, 32).getPullStatus());
    expect("another tag", PullStatus.NO_MATCHED_MSG,
        consumer.pull(queue, "other", 0, 32).getPullStatus());
    return String.format("a parked pull answered %d ms after the send",
        parked(r, consumer, queue, end));
  }

  private static long pullAll(DefaultMQPullConsumer consumer, MessageQueue queue,
      Received received) throws Exception {
    long offset = 0;
    while (true) {
      PullResult result = consumer.pull(queue, "*", offset, 32);
      if (result.getPullStatus() != PullStatus.FOUND) {
        expect("at the end", PullStatus.NO_NEW_MSG, result.getPullStatus());
        return offset;
      }
      result.getMsgFoundList().forEach(message -> received.add("pull", message));
      offset = result.getNextBeginOffset();
    }
  }

  /** Returns how long after a send a pull that waits for it is answered. */
  private static long parked(Run r, DefaultMQPullConsumer consumer, MessageQueue queue, long end)
      throws Exception {
    CompletableFuture<Long> answered = new CompletableFuture<>();
    Thread waiting = new Thread(() -> {
      try {
        PullResult result = consumer.pullBlockIfNotFound(queue, "*", end, 32);
        expect("parked", PullStatus.FOUND, result.getPullStatus());
        answered.complete(System.nanoTime());
      } catch (Exception e) {
        answered.completeExceptionally(e);
      }
    });
    waiting.start();
    Thread.sleep(500);
    long sent = System.nanoTime();
    r.check(r.producer().send(r.message("late"), queue));
    return (answered.get(10, TimeUnit.SECONDS) - sent) / 1_000_000;
  }

  private static DefaultLitePullConsumer lite(Run r, String group) {
    DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group);
    consumer.setNamesrvAddr(r.namesrv);
    consumer.setInstanceName(r.instance("lite"));
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    return consumer;
  }

  private static void pollUntil(Run r, DefaultLitePullConsumer consumer, Received received,
      int count) throws Exception {
    r.await("messages", () -> {
      consumer.poll(100).forEach(message -> received.add("lite", message));
      return received.count() >= count;
    });
  }

  /** Subscribed; a second consumer of the group goes on behind what was committed. */
  static String litePull(Run r) throws Exception {
    List<String> before = Run.numbered("before-", 100);
    r.sendAll(before);
    DefaultLitePullConsumer one = lite(r, r.group);
    one.subscribe(r.topic, "*");
    one.setAutoCommit(false);
    one.start();
    Received first = new Received();
    pollUntil(r, one, first, before.size());
    r.awaitOnce(first, before);
    one.commitSync();
    one.shutdown();  // Stores what was committed.
    List<String> after = Run.numbered("after-", 100);
    r.sendAll(after);
    DefaultLitePullConsumer two = lite(r, r.group);
    two.subscribe(r.topic, "*");
    two.start();
    r.atEnd(two::shutdown);
    Received second = new Received();
    pollUntil(r, two, second, after.size());
    r.awaitOnce(second, after);
    return "";
  }

  /** Assigned by hand: half of the queues, from where the program wants. */
  static String assign(Run r) throws Exception {
    List<String> bodies = Run.numbered("assign-", 100);
    r.sendAll(bodies);
    DefaultLitePullConsumer consumer = lite(r, r.group);
    consumer.setAutoCommit(false);
    consumer.start();
    r.atEnd(consumer::shutdown);
    Collection<MessageQueue> all = consumer.fetchMessageQueues(r.topic);
    List<MessageQueue> half = new ArrayList<>(all).subList(0, all.size() / 2);
    consumer.assign(half);
    // It pulls at once, from where it believes to be, and what is on its way when it is told to
    // seek may be given to the program after that.
    consumer.pause(half);
    Thread.sleep(1000);
    int wanted = 0;
    for (MessageQueue queue : half) {
      consumer.seek(queue, 10);
      // A send that was tried again makes one queue longer than the others.
      wanted += (int) r.producer().maxOffset(queue) - 10;
    }
    consumer.resume(half);
    Received received = new Received();
    pollUntil(r, consumer, received, wanted);
    Thread.sleep(500);
    List<MessageExt> more = consumer.poll(500);
    received.checkOnce();
    if (received.count() != wanted || !more.isEmpty()) {
      throw new Failure("%d of %d messages from offset 10 of %d queues, then %d",
          received.count(), wanted, half.size(), more.size());
    }
    consumer.commitSync();
    MessageQueue queue = half.get(0);
    long end = r.producer().maxOffset(queue);
    r.await("the committed offset", () -> consumer.committed(queue) == end);
    consumer.seekToBegin(queue);
    Received again = new Received();
    pollUntil(r, consumer, again, (int) end);
    Long byTime = consumer.offsetForTimestamp(queue, System.currentTimeMillis() + 60_000);
    return String.format("%d of %d queues; offset for a time to come: %d", half.size(), all.size(),
        byTime);
  }
}
