#include "broker/grpc_api/client_settings.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/names.h"

namespace totora::grpc_api {
namespace {

// RocketMQ's steps between attempts (CustomizedRetryPolicy).
constexpr std::array<int, 18> kRetrySeconds = {1,   5,   10,  30,  60,  120,  180,  240,  300,
                                               360, 420, 480, 540, 600, 1200, 1800, 3600, 7200};
constexpr int kProducerAttempts = 3;
constexpr int kConsumerAttempts = 17;
constexpr int kLongPollingSeconds = 20;
constexpr int kListMax = 4096;

void SetExponential(int64_t initial_ms, int64_t max_ms, v2::RetryPolicy* policy) {
  v2::ExponentialBackoff* backoff = policy->mutable_exponential_backoff();
  const auto set = [](int64_t ms, google::protobuf::Duration* to) {
    to->set_seconds(ms / 1000);
    to->set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
  };
  set(initial_ms, backoff->mutable_initial());
  set(max_ms, backoff->mutable_max());
  backoff->set_multiplier(2);
}

void SetCustomized(v2::RetryPolicy* policy) {
  v2::CustomizedBackoff* backoff = policy->mutable_customized_backoff();
  backoff->clear_next();
  for (int seconds : kRetrySeconds) backoff->add_next()->set_seconds(seconds);
}

void MergePublishing(v2::Settings* settings) {
  v2::Publishing* publishing = settings->mutable_publishing();
  publishing->set_max_body_size(kMessageBodyBytesMax);
  publishing->set_validate_message_type(true);
  v2::RetryPolicy* policy = settings->mutable_backoff_policy();
  policy->set_max_attempts(kProducerAttempts);
  SetExponential(10, 1000, policy);
}

void MergeSubscription(const std::optional<store::ConsumerGroupConfig>& consumer_group,
                       v2::Settings* settings) {
  v2::Subscription* subscription = settings->mutable_subscription();
  subscription->set_fifo(consumer_group.has_value() && consumer_group->is_fifo);
  subscription->set_receive_batch_size(kReceiveBatchMax);
  subscription->mutable_long_polling_timeout()->set_seconds(kLongPollingSeconds);
  subscription->mutable_long_polling_timeout()->set_nanos(0);
  v2::RetryPolicy* policy = settings->mutable_backoff_policy();
  policy->set_max_attempts(consumer_group.has_value()
                               ? static_cast<int>(consumer_group->max_attempts)
                               : kConsumerAttempts);
  if (settings->user_agent().language() == v2::NODE_JS) {
    // Node leaves a customized policy unread and would retry without delay.
    SetExponential(kRetrySeconds.front() * 1000, kRetrySeconds.back() * 1000, policy);
  } else {
    SetCustomized(policy);
  }
}

bool IsLite(const v2::Settings& settings) {
  return settings.client_type() == v2::LITE_PUSH_CONSUMER ||
         settings.client_type() == v2::LITE_SIMPLE_CONSUMER;
}

}  // namespace

absl::Status CheckSettings(const v2::Settings& client) {
  switch (client.pub_sub_case()) {
    case v2::Settings::kPublishing:
      if (client.publishing().topics_size() > kListMax) {
        return absl::InvalidArgumentError("too many topics");
      }
      return absl::OkStatus();
    case v2::Settings::kSubscription:
      if (client.subscription().subscriptions_size() > kListMax) {
        return absl::InvalidArgumentError("too many subscriptions");
      }
      if (IsLite(client)) return absl::InvalidArgumentError("lite consumers are not supported");
      return absl::OkStatus();
    case v2::Settings::PUB_SUB_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("settings say neither publishing nor subscription");
}

v2::Settings MergeSettings(const v2::Settings& client,
                           const std::optional<store::ConsumerGroupConfig>& consumer_group) {
  v2::Settings settings = client;
  if (settings.has_publishing()) {
    MergePublishing(&settings);
  } else {
    MergeSubscription(consumer_group, &settings);
  }
  settings.mutable_metric()->Clear();
  settings.mutable_metric()->set_on(false);
  return settings;
}

std::string ConsumerGroupOf(const v2::Settings& client, absl::string_view default_namespace) {
  if (!client.has_subscription() || client.subscription().group().name().empty()) return "";
  return StoredName(client.subscription().group(), default_namespace);
}

service::ClientSession SessionOf(absl::string_view client_id, absl::string_view default_namespace,
                                 const v2::Settings& client) {
  service::ClientSession session;
  session.client_id = std::string(client_id);
  session.kind = KindOf(client.client_type());
  session.language = v2::Language_Name(client.user_agent().language());
  for (const v2::Resource& topic : client.publishing().topics()) {
    session.published_topics.push_back(StoredName(topic, default_namespace));
  }
  if (std::string group = ConsumerGroupOf(client, default_namespace); !group.empty()) {
    session.consumer_groups.push_back(std::move(group));
  }
  for (const v2::SubscriptionEntry& entry : client.subscription().subscriptions()) {
    session.subscriptions.push_back({StoredName(entry.topic(), default_namespace),
                                     entry.expression().expression(),
                                     entry.expression().type() == v2::SQL});
  }
  client.SerializeToString(&session.settings);
  return session;
}

service::ClientKind KindOf(v2::ClientType type) {
  switch (type) {
    case v2::PRODUCER:
      return service::ClientKind::kProducer;
    case v2::PUSH_CONSUMER:
    case v2::LITE_PUSH_CONSUMER:
      return service::ClientKind::kPushConsumer;
    case v2::SIMPLE_CONSUMER:
    case v2::LITE_SIMPLE_CONSUMER:
      return service::ClientKind::kSimpleConsumer;
    case v2::PULL_CONSUMER:
      return service::ClientKind::kPullConsumer;
    default:
      return service::ClientKind::kUnknown;
  }
}

}  // namespace totora::grpc_api
