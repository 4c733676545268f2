// Codes of answers, and what clients make of them
// (RemotingSysResponseCode.java, ResponseCode.java).
#ifndef TOTORA_REMOTING_RESPONSE_CODE_H_
#define TOTORA_REMOTING_RESPONSE_CODE_H_

#include <cstdint>

namespace totora::remoting {

enum class ResponseCode : int32_t {
  kSuccess = 0,
  kSystemError = 1,              // Sends: tried again by Java and Go.
  kSystemBusy = 2,               // Sends: tried again by Java from 5.3 on only.
  kRequestCodeNotSupported = 3,  // Tools fall back, or say so.
  kTransactionFailed = 4,
  kFlushDiskTimeout = 10,  // 10 to 12: stored, with the fields of a success.
  kSlaveNotAvailable = 11,
  kFlushSlaveTimeout = 12,
  kMessageIllegal = 13,       // Not tried again.
  kServiceNotAvailable = 14,  // Sends: tried again by every client.
  kVersionNotSupported = 15,
  kNoPermission = 16,   // Also what every ACL failure is.
  kTopicNotExist = 17,  // Nameserver: no route.
  kTopicExistAlready = 18,
  kPullNotFound = 19,  // 19 to 21: pulls, with the fields of a success.
  kPullRetryImmediately = 20,
  kPullOffsetMoved = 21,
  kQueryNotFound = 22,
  kSubscriptionParseFailed = 23,
  kSubscriptionNotExist = 24,
  kSubscriptionNotLatest = 25,
  kSubscriptionGroupNotExist = 26,
  kFilterDataNotExist = 27,
  kFilterDataNotLatest = 28,
  kInvalidParameter = 29,
  kNoBuyerId = 204,
  kNotInCurrentUnit = 205,
  kConsumerNotOnline = 206,
  kConsumeMessageTimeout = 207,
  kNoMessage = 208,
  kPollingFull = 209,
  kPollingTimeout = 210,
  kBrokerNotExist = 211,
  kBrokerDispatchNotComplete = 212,
  kBroadcastConsumption = 213,
  kFlowControl = 215,        // Pulls of Java 5: again after 20 ms.
  kNotLeaderForQueue = 501,  // Static topics only; no client fails over on it.
  kIllegalOperation = 604,
  kGoAway = 1500,  // Java above 5.3.1: reconnects and sends again.
  kUserNotExist = 3001,
  kPolicyNotExist = 3002,
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_RESPONSE_CODE_H_
