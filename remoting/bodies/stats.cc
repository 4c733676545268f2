#include "remoting/bodies/stats.h"

#include "remoting/bodies/body_codec.h"

namespace totora::remoting {

TOTORA_JSON_BODY(TopicStatsTable);
TOTORA_JSON_BODY(ConsumeStats);
TOTORA_JSON_BODY(ConsumeStatsList);
TOTORA_JSON_BODY(BrokerStatsData);
TOTORA_JSON_BODY(QueryConsumeQueueResponseBody);
TOTORA_JSON_BODY(HaRuntimeInfo);

}  // namespace totora::remoting
