#include "message/message.h"

#include <arpa/inet.h>

#include <cstring>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace totora::message {

absl::StatusOr<Host> Host::Parse(absl::string_view ip, uint32_t port) {
  const std::string text(ip);
  Host host;
  host.port = port;
  // inet_pton would stop at an embedded zero and accept what stands before it.
  if (text.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, text.c_str(), host.ip.data()) == 1) return host;
    if (inet_pton(AF_INET6, text.c_str(), host.ip.data()) == 1) {
      static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
      host.is_ipv6 = std::memcmp(host.ip.data(), kMapped, sizeof(kMapped)) != 0;
      if (!host.is_ipv6) {
        std::memmove(host.ip.data(), host.ip.data() + 12, 4);
        std::memset(host.ip.data() + 4, 0, 12);
      }
      return host;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("not an IP address: '", ip, "'"));
}

std::string Host::IpToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, ip.data(), text, sizeof(text));
  return text;
}

std::string Host::ToString() const {
  return is_ipv6 ? absl::StrCat("[", IpToString(), "]:", port)
                 : absl::StrCat(IpToString(), ":", port);
}

bool IsReservedProperty(absl::string_view name) {
  // MessageConst.STRING_HASH_SET, and those names outside it by which an
  // application could change what kind of message the broker sees.
  static const auto* const kReserved = new absl::flat_hash_set<absl::string_view>{
      "KEYS", "TAGS", "WAIT", "DELAY", "RETRY_TOPIC", "REAL_TOPIC", "REAL_QID", "TRAN_MSG",
      "PGROUP", "MIN_OFFSET", "MAX_OFFSET", "BUYER_ID", "ORIGIN_MESSAGE_ID", "TRANSFER_FLAG",
      "CORRECTION_FLAG", "MQ2_FLAG", "RECONSUME_TIME", "MSG_REGION", "TRACE_ON", "UNIQ_KEY",
      "EXTEND_UNIQ_INFO", "MAX_RECONSUME_TIMES", "CONSUME_START_TIME", "DUP_INFO", "POP_CK",
      "POP_CK_OFFSET", "1ST_POP_TIME", "TRAN_PREPARED_QUEUE_OFFSET", "INSTANCE_ID",
      "CORRELATION_ID", "REPLY_TO_CLIENT", "TTL", "ARRIVE_TIME", "PUSH_REPLY_TIME", "CLUSTER",
      "MSG_TYPE", "INNER_MULTI_QUEUE_OFFSET", "TIMER_DELAY_SEC", "TIMER_DELAY_MS",
      "TIMER_DELIVER_MS", "TIMER_ENQUEUE_MS", "TIMER_DEQUEUE_MS", "TIMER_ROLL_TIMES",
      "TIMER_OUT_MS", "TIMER_DEL_UNIQKEY", "TIMER_DELAY_LEVEL", "__BORNHOST", "BORN_TIMESTAMP",
      "DLQ_ORIGIN_TOPIC", "DLQ_ORIGIN_MESSAGE_ID", "_SYS_MSG_PRIORITY_", "__LITE_TOPIC",
      "__SHARDINGKEY", "__transactionId__"};
  return kReserved->contains(name);
}

}  // namespace totora::message
