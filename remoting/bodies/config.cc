#include "remoting/bodies/config.h"

#include "remoting/bodies/body_codec.h"

namespace totora::remoting {

TOTORA_JSON_BODY(TopicList);
TOTORA_JSON_BODY(GroupList);
TOTORA_JSON_BODY(KvTable);
TOTORA_JSON_BODY(DataVersion);
TOTORA_JSON_BODY(TopicConfig);
TOTORA_JSON_BODY(CreateTopicListRequestBody);
TOTORA_JSON_BODY(TopicConfigWrapper);
TOTORA_JSON_BODY(SubscriptionGroupConfig);
TOTORA_JSON_BODY(SubscriptionGroupList);
TOTORA_JSON_BODY(SubscriptionGroupWrapper);
TOTORA_JSON_BODY(GroupForbidden);
TOTORA_JSON_BODY(SetMessageRequestModeBody);

}  // namespace totora::remoting
