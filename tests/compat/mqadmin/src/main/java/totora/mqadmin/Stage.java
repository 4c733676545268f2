package totora.mqadmin;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Brings a server to a known state and keeps its connections open, so that what mqadmin prints about
 * them can be compared. Obeys one command a line on standard input, answers each with lines that end in
 * "done" or "failed TEXT", and ends when standard input closes.
 *
 * <pre>
 * producer GROUP                       connects a producer; later sends are its
 * send TOPIC FIRST COUNT               message i: body "body-i", keys "key-i", tag TagA or TagB, property
 *                                      number=i, queue i modulo the number of queues; prints
 *                                      "sent I QUEUE OFFSET UNIQUE_ID OFFSET_ID"
 * consume GROUP TOPIC COUNT            connects a push consumer, waits until it has consumed COUNT
 *                                      messages and its progress is stored; it stays connected and
 *                                      pulls nothing more
 * follow GROUP TOPIC                   connects a push consumer that goes on pulling
 * leave GROUP                          it disconnects
 * load TOPIC RATE SECONDS              sends 128 bytes at a steady rate in the background
 * loaded                               waits for its end, prints "load SENT FAILED MILLISECONDS"
 * consumed GROUP                       prints "consumed N"
 * </pre>
 */
public final class Stage {
    private static final int LOAD_OUTSTANDING = 256;
    // Patience with busy machines: how long calls take is not what is compared.
    private static final int CALL_MS = 15_000;

    private final String namesrv;
    private DefaultMQProducer producer;
    private final List<DefaultMQProducer> retired = new ArrayList<>();
    private final Map<String, DefaultMQPushConsumer> consumers = new HashMap<>();
    private final Map<String, AtomicLong> consumed = new HashMap<>();
    private Thread load;
    private volatile String loadResult = "load 0 0 0";

    private Stage(String namesrv) {
        this.namesrv = namesrv;
    }

    public static void main(String[] args) throws Exception {
        Stage stage = new Stage(args[0]);
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                stage.obey(line.trim().split(" +"));
                say("done");
            } catch (Exception e) {
                say("failed " + String.valueOf(e).replace('\n', ' '));
            }
        }
        stage.close();
        System.exit(0);
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private void obey(String[] words) throws Exception {
        switch (words[0]) {
            case "producer" -> connectProducer(words[1]);
            case "send" -> send(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
            case "consume" -> consume(words[1], words[2], Long.parseLong(words[3]));
            case "follow" -> connectConsumer(words[1], words[2], 0);
            case "leave" -> consumers.remove(words[1]).shutdown();
            case "load" -> startLoad(words[1], Double.parseDouble(words[2]), Double.parseDouble(words[3]));
            case "loaded" -> {
                load.join();
                say(loadResult);
            }
            case "consumed" -> say("consumed " + consumed.get(words[1]).get());
            default -> throw new IllegalArgumentException("no such command: " + words[0]);
        }
    }

    private void connectProducer(String group) throws Exception {
        if (producer != null) {
            retired.add(producer);  // Stays connected.
        }
        producer = new DefaultMQProducer(group);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("stage-" + group);
        producer.setRetryTimesWhenSendFailed(5);
        producer.setSendMsgTimeout(CALL_MS);
        producer.setMqClientApiTimeout(CALL_MS);
        producer.start();
    }

    private void send(String topic, int first, int count) throws Exception {
        MessageQueueSelector byNumber = (queues, message, number) -> {
            List<MessageQueue> sorted = new ArrayList<>(queues);
            sorted.sort(null);
            return sorted.get((Integer) number % sorted.size());
        };
        for (int i = first; i < first + count; i++) {
            Message message = new Message(topic, i % 2 == 0 ? "TagA" : "TagB", "key-" + i,
                ("body-" + i).getBytes(StandardCharsets.UTF_8));
            message.putUserProperty("number", Integer.toString(i));
            SendResult result = producer.send(message, byNumber, i);
            say(String.format("sent %d %d %d %s %s", i, result.getMessageQueue().getQueueId(),
                result.getQueueOffset(), result.getMsgId(), result.getOffsetMsgId()));
        }
    }

    private DefaultMQPushConsumer connectConsumer(String group, String topic, long pullInterval)
        throws Exception {
        AtomicLong received = new AtomicLong();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("stage-" + group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPullInterval(pullInterval);
        consumer.setMqClientApiTimeout(CALL_MS);
        consumer.setPersistConsumerOffsetInterval(1000);
        consumer.subscribe(topic, "TagA || TagB || Load");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            received.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        consumers.put(group, consumer);
        consumed.put(group, received);
        return consumer;
    }

    private void consume(String group, String topic, long count) throws Exception {
        // Every queue is pulled once, at once; before the second pull the consumer is suspended. So
        // no pull is parked at the broker that would take in what is sent later.
        DefaultMQPushConsumer consumer = connectConsumer(group, topic, 65_535);
        AtomicLong received = consumed.get(group);
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (received.get() < count) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(group + " has consumed " + received.get() + " of " + count);
            }
            Thread.sleep(50);
        }
        consumer.suspend();
        // A message counts as received before its offset counts as consumed.
        Thread.sleep(500);
        consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
        Thread.sleep(2500);  // The request is one-way, and a server may gather offsets for a second.
    }

    private void startLoad(String topic, double rate, double seconds) {
        load = new Thread(() -> {
            byte[] body = new byte[128];
            Semaphore room = new Semaphore(LOAD_OUTSTANDING);
            AtomicLong failed = new AtomicLong();
            AtomicLong sent = new AtomicLong();
            SendCallback callback = new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    sent.incrementAndGet();
                    room.release();
                }

                @Override
                public void onException(Throwable e) {
                    failed.incrementAndGet();
                    room.release();
                }
            };
            long began = System.nanoTime();
            long total = Math.round(rate * seconds);
            for (long i = 0; i < total; i++) {
                long due = began + (long) (i * 1e9 / rate);
                long left = due - System.nanoTime();
                try {
                    if (left > 0) {
                        Thread.sleep(left / 1_000_000, (int) (left % 1_000_000));
                    }
                    room.acquire();
                    producer.send(new Message(topic, "Load", body), callback);
                } catch (Exception e) {
                    failed.incrementAndGet();
                    room.release();
                }
            }
            room.acquireUninterruptibly(LOAD_OUTSTANDING);
            long ms = (System.nanoTime() - began) / 1_000_000;
            loadResult = "load " + sent.get() + " " + failed.get() + " " + ms;
        });
        load.setDaemon(true);
        load.start();
    }

    private void close() {
        consumers.values().forEach(DefaultMQPushConsumer::shutdown);
        retired.forEach(DefaultMQProducer::shutdown);
        if (producer != null) {
            producer.shutdown();
        }
    }
}
