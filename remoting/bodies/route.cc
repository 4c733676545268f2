#include "remoting/bodies/route.h"

#include "remoting/bodies/body_codec.h"

namespace totora::remoting {

TOTORA_JSON_BODY(TopicRouteData);
TOTORA_JSON_BODY(ClusterInfo);

}  // namespace totora::remoting
