#include "remoting/bodies/queues.h"

#include "remoting/bodies/body_codec.h"

namespace totora::remoting {

TOTORA_JSON_BODY(LockBatchRequestBody);
TOTORA_JSON_BODY(LockBatchResponseBody);
TOTORA_JSON_BODY(ResetOffsetBody);
TOTORA_JSON_BODY(ResetOffsetBodyForC);
TOTORA_JSON_BODY(GetConsumerStatusBody);
TOTORA_JSON_BODY(QueryCorrectionOffsetBody);
TOTORA_JSON_BODY(ConsumerOffsetTable);
TOTORA_JSON_BODY(QueryConsumeTimeSpanBody);
TOTORA_JSON_BODY(QueryAssignmentRequestBody);
TOTORA_JSON_BODY(QueryAssignmentResponseBody);

}  // namespace totora::remoting
