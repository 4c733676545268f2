#include "broker/wire_model.h"

namespace totora::broker {

model::Role ToModel(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return model::FOLLOWER;
    case raft::Role::kPreCandidate:
      return model::PRE_CANDIDATE;
    case raft::Role::kCandidate:
      return model::CANDIDATE;
    case raft::Role::kLeader:
      return model::LEADER;
  }
  return model::ROLE_UNSPECIFIED;
}

void FillTopic(const store::TopicConfig& config, model::Topic* topic) {
  topic->set_name(config.name);
  topic->set_type(static_cast<model::TopicType>(config.type));
  topic->set_read_queues(config.read_queues);
  topic->set_write_queues(config.write_queues);
  topic->set_permission(config.permission);
}

store::TopicConfig ToTopicConfig(const model::Topic& topic) {
  store::TopicConfig config;
  config.name = topic.name();
  config.type = static_cast<store::TopicType>(topic.type());
  config.read_queues = topic.read_queues();
  config.write_queues = topic.write_queues();
  config.permission = topic.permission();
  return config;
}

void FillAddress(const service::Address& address, model::Address* out) {
  out->set_host(address.host);
  out->set_port(address.port);
}

service::Address ToAddress(const model::Address& address) {
  return {address.host(), static_cast<uint16_t>(address.port())};
}

}  // namespace totora::broker
