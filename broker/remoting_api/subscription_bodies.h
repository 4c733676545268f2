// Subscriptions and clients as classic tools see them.
#ifndef TOTORA_BROKER_REMOTING_API_SUBSCRIPTION_BODIES_H_
#define TOTORA_BROKER_REMOTING_API_SUBSCRIPTION_BODIES_H_

#include "broker/service/sessions.h"
#include "remoting/bodies/client.h"

namespace totora::remoting_api {

remoting::SubscriptionData BodyOf(const service::Subscription& subscription);

// Of the language, only names that Java's enum has.
remoting::ClientConnection ConnectionOf(const service::ClientSession& session);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_SUBSCRIPTION_BODIES_H_
