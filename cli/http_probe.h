// One HTTP/1.1 GET, for health checks where there is no curl: the container
// image has no program but ours.
#ifndef TOTORA_CLI_HTTP_PROBE_H_
#define TOTORA_CLI_HTTP_PROBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace totora::cli {

struct HttpAnswer {
  int status = 0;  // 200.
  std::string body;
};

// An answer longer than this is refused: health answers are one line, metrics
// stay far below.
inline constexpr size_t kHttpAnswerBytesMax = size_t{4} << 20;

// Asks http://`address``path`; all of it takes `timeout` at most. An answer that
// is chunked is not understood: our daemons send none.
// Thread safety: any thread; blocks.
// Errors: InvalidArgument (address is not host:port), Unavailable (nobody
// answers there, or not in time, or what answers speaks no HTTP).
absl::StatusOr<HttpAnswer> HttpGet(absl::string_view address, absl::string_view path,
                                   absl::Duration timeout);

// Reads a whole answer, head and body. Errors: Unavailable.
absl::StatusOr<HttpAnswer> ParseHttpAnswer(absl::string_view bytes);

}  // namespace totora::cli

#endif  // TOTORA_CLI_HTTP_PROBE_H_
