package totora.classic;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.HashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.MQVersion;

/** The few calls whose signatures differ between the 4.x and the 5.x client. */
final class Versions {
  private Versions() {}

  static String ofClient() {
    return MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION);
  }

  /** The enum moved to another package in 5.0. */
  static void makeBroadcasting(DefaultMQPushConsumer consumer) throws Exception {
    for (Method method : DefaultMQPushConsumer.class.getMethods()) {
      if (!method.getName().equals("setMessageModel")) {
        continue;
      }
      for (Object model : method.getParameterTypes()[0].getEnumConstants()) {
        if (model.toString().equals("BROADCASTING")) {
          method.invoke(consumer, model);
          return;
        }
      }
    }
    throw new IllegalStateException("this client has no message model BROADCASTING");
  }

  /** 5.0 added a map of attributes. */
  static void createTopic(DefaultMQProducer producer, String key, String topic, int queues)
      throws Exception {
    for (Method method : DefaultMQProducer.class.getMethods()) {
      int parameters = method.getParameterCount();
      if (!method.getName().equals("createTopic") || method.getParameterTypes()[2] != int.class
          || (parameters == 4) == (method.getParameterTypes()[parameters - 1] == int.class)) {
        continue;
      }
      try {
        if (parameters == 3) {
          method.invoke(producer, key, topic, queues);
        } else {
          method.invoke(producer, key, topic, queues, new HashMap<String, String>());
        }
        return;
      } catch (InvocationTargetException e) {
        if (e.getCause() instanceof MQClientException) {
          throw (MQClientException) e.getCause();
        }
        throw e;
      }
    }
    throw new IllegalStateException("this client has no createTopic");
  }
}
