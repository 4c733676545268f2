package totora.classic;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * What consumers received, by body. Bodies are text of one byte a character.
 *
 * <p>Thread safety: monitor.
 */
final class Received {
  /** One delivery. */
  static final class Delivery {
    final String consumer;
    final MessageExt message;
    final long ms = System.currentTimeMillis();

    Delivery(String consumer, MessageExt message) {
      this.consumer = consumer;
      this.message = message;
    }
  }

  private final Map<String, List<Delivery>> byBody = new HashMap<>();

  /** Returns how often this body has come, this time included. */
  synchronized int add(String consumer, MessageExt message) {
    List<Delivery> deliveries =
        byBody.computeIfAbsent(text(message), unused -> new ArrayList<>());
    deliveries.add(new Delivery(consumer, message));
    return deliveries.size();
  }

  static String text(MessageExt message) {
    return new String(message.getBody(), StandardCharsets.ISO_8859_1);
  }

  synchronized int count() {
    return byBody.size();
  }

  synchronized List<Delivery> of(String body) {
    return new ArrayList<>(byBody.getOrDefault(body, new ArrayList<>()));
  }

  synchronized Set<String> consumers() {
    Set<String> names = new TreeSet<>();
    byBody.values().forEach(all -> all.forEach(delivery -> names.add(delivery.consumer)));
    return names;
  }

  /** Fails unless exactly `bodies` came. */
  synchronized void checkExactly(Collection<String> bodies) {
    Set<String> missing = new TreeSet<>(bodies);
    missing.removeAll(byBody.keySet());
    if (!missing.isEmpty()) {
      throw new Failure("%d of %d messages did not come, among them %s", missing.size(),
          bodies.size(), shortened(missing.iterator().next()));
    }
    if (byBody.size() > bodies.size()) {
      throw new Failure("%d messages came, %d were expected", byBody.size(), bodies.size());
    }
  }

  /** Fails unless each body came exactly once. */
  synchronized void checkOnce() {
    byBody.forEach((body, deliveries) -> {
      if (deliveries.size() != 1) {
        throw new Failure("%s came %d times", shortened(body), deliveries.size());
      }
    });
  }

  private static String shortened(String body) {
    return body.length() > 40 ? body.substring(0, 40) + "..." : body;
  }
}
