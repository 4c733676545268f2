#include "remoting/bodies/client.h"

#include "remoting/bodies/body_codec.h"

namespace totora::remoting {

template <>
struct EnumNames<ConsumeType> {
  static constexpr absl::string_view kNames[] = {"CONSUME_ACTIVELY", "CONSUME_PASSIVELY",
                                                 "CONSUME_POP"};
};
template <>
struct EnumNames<MessageModel> {
  static constexpr absl::string_view kNames[] = {"BROADCASTING", "CLUSTERING"};
};
template <>
struct EnumNames<ConsumeFromWhere> {
  static constexpr absl::string_view kNames[] = {
      "CONSUME_FROM_LAST_OFFSET",  "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
      "CONSUME_FROM_MIN_OFFSET",   "CONSUME_FROM_MAX_OFFSET",
      "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"};
};

TOTORA_JSON_BODY(SubscriptionData);
TOTORA_JSON_BODY(HeartbeatData);
TOTORA_JSON_BODY(CheckClientRequestBody);
TOTORA_JSON_BODY(ConsumerListBody);
TOTORA_JSON_BODY(ConsumerConnection);
TOTORA_JSON_BODY(ProducerConnection);
TOTORA_JSON_BODY(ProducerTableInfo);
TOTORA_JSON_BODY(QuerySubscriptionResponseBody);

}  // namespace totora::remoting
