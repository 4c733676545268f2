// Codes of requests, one line each with who sends it (RequestCode.java).
//
// J, G: the Java and the Go client; tools: mqadmin and the dashboard.
#ifndef TOTORA_REMOTING_REQUEST_CODE_H_
#define TOTORA_REMOTING_REQUEST_CODE_H_

#include <cstdint>

namespace totora::remoting {

enum class RequestCode : int32_t {
  // Producers and consumers to brokers.
  kSendMessage = 10,                  // G, C++; J without smart messages.
  kPullMessage = 11,                  // J, G, tools.
  kQueryMessage = 12,                 // J, tools.
  kQueryConsumerOffset = 14,          // J, G.
  kUpdateConsumerOffset = 15,         // J, G: one-way every 5 s; tools.
  kSearchOffsetByTimestamp = 29,      // J, G, tools.
  kGetMaxOffset = 30,                 // J, G, tools.
  kGetMinOffset = 31,                 // J, G, tools.
  kGetEarliestMessageStoreTime = 32,  // J, tools.
  kViewMessageById = 33,              // J, tools; at the address inside the id.
  kHeartbeat = 34,                    // J, G: every 30 s.
  kUnregisterClient = 35,             // J at shutdown.
  kConsumerSendMessageBack = 36,      // J, G.
  kEndTransaction = 37,               // J, G: one-way.
  kGetConsumerListByGroup = 38,       // J, G: each rebalance.
  kLockBatchMq = 41,                  // J, G: orderly consumers every 20 s.
  kUnlockBatchMq = 42,                // J, G.
  kCheckClientConfig = 46,            // J with SQL92.
  kSendMessageV2 = 310,               // J.
  kSendBatchMessage = 320,            // J, G.
  kSendReplyMessage = 324,            // G.
  kSendReplyMessageV2 = 325,          // J.
  kLitePullMessage = 361,             // J's lite pull consumer.
  kRecallMessage = 370,               // J from 5.3.2 on.
  kQueryAssignment = 400,             // J without client rebalance.

  // Brokers to clients, on the client's connection.
  kCheckTransactionState = 39,
  kNotifyConsumerIdsChanged = 40,
  kResetConsumerClientOffset = 220,
  kGetConsumerStatusFromClient = 221,
  kPushReplyMessageToClient = 326,
  // kGetConsumerRunningInfo and kConsumeMessageDirectly are passed on.

  // Clients and tools to nameservers.
  kPutKvConfig = 100,
  kGetKvConfig = 101,
  kDeleteKvConfig = 102,
  kGetRouteInfoByTopic = 105,  // Everybody, every 30 s.
  kGetBrokerClusterInfo = 106,
  kWipeWritePermissionOfBroker = 205,
  kGetAllTopicListFromNameserver = 206,
  kDeleteTopicInNameserver = 216,
  kRegisterTopicInNameserver = 217,
  kGetKvListByNamespace = 219,
  kGetTopicsByCluster = 224,
  kGetSystemTopicListFromNameserver = 304,
  kGetUnitTopicList = 311,
  kGetHasUnitSubTopicList = 312,
  kGetHasUnitSubUnUnitTopicList = 313,
  kUpdateNameserverConfig = 318,
  kGetNameserverConfig = 319,
  kAddWritePermissionOfBroker = 327,

  // Tools to brokers.
  kUpdateAndCreateTopic = 17,
  kUpdateAndCreateTopicList = 18,
  kGetAllTopicConfig = 21,
  kUpdateBrokerConfig = 25,
  kGetBrokerConfig = 26,
  kGetBrokerRuntimeInfo = 28,
  kGetAllConsumerOffset = 43,  // Replicas of RocketMQ's own, too.
  kUpdateAndCreateSubscriptionGroup = 200,
  kGetAllSubscriptionGroupConfig = 201,
  kGetTopicStatsInfo = 202,
  kGetConsumerConnectionList = 203,
  kGetProducerConnectionList = 204,
  kDeleteSubscriptionGroup = 207,
  kGetConsumeStats = 208,
  kDeleteTopicInBroker = 215,
  kInvokeBrokerToResetOffset = 222,
  kInvokeBrokerToGetConsumerStatus = 223,
  kUpdateAndCreateSubscriptionGroupList = 225,
  kQueryTopicConsumeByWho = 300,
  kQueryConsumeTimeSpan = 303,
  kGetSystemTopicListFromBroker = 305,
  kCleanExpiredConsumeQueue = 306,
  kGetConsumerRunningInfo = 307,
  kQueryCorrectionOffset = 308,
  kConsumeMessageDirectly = 309,
  kCloneGroupOffset = 314,
  kViewBrokerStatsData = 315,
  kCleanUnusedTopic = 316,
  kGetBrokerConsumeStats = 317,
  kQueryConsumeQueue = 321,
  kResumeCheckHalfMessage = 323,
  kGetAllProducerInfo = 328,
  kDeleteExpiredCommitLog = 329,
  kQueryTopicsByConsumer = 343,
  kQuerySubscriptionByConsumer = 345,
  kGetTopicConfig = 351,
  kGetSubscriptionGroupConfig = 352,
  kUpdateAndGetGroupForbidden = 353,
  kSetMessageRequestMode = 401,
  kGetBrokerHaStatus = 907,
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_REQUEST_CODE_H_
