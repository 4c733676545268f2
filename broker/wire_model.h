// Our terms in the words of proto/model.proto, which registration and admin share.
#ifndef TOTORA_BROKER_WIRE_MODEL_H_
#define TOTORA_BROKER_WIRE_MODEL_H_

#include "broker/service/routes.h"
#include "proto/model.pb.h"
#include "raft/core/types.h"
#include "store/commands.h"

namespace totora::broker {

model::Role ToModel(raft::Role role);

void FillTopic(const store::TopicConfig& config, model::Topic* topic);
store::TopicConfig ToTopicConfig(const model::Topic& topic);

void FillAddress(const service::Address& address, model::Address* out);
service::Address ToAddress(const model::Address& address);

}  // namespace totora::broker

#endif  // TOTORA_BROKER_WIRE_MODEL_H_
