#include "net/http_session.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace totora::net {
namespace {

absl::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Payload Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

}  // namespace

void HttpSession::OnBytes(absl::string_view bytes) {
  kept_.append(bytes.data(), bytes.size());
  while (!connection_->is_closing()) {
    const size_t end = kept_.find("\r\n\r\n");
    if (end == std::string::npos ? kept_.size() > kRequestBytesMax : end > kRequestBytesMax) {
      Refuse(431, "request too large\n");
      return;
    }
    if (end == std::string::npos) return;
    const std::string head = kept_.substr(0, end);
    kept_.erase(0, end + 4);
    if (!Serve(head)) {
      connection_->CloseAfterFlush("HTTP/1 answered");
      return;
    }
    // Pipelined requests must not pile up answers for a peer that reads none.
    if (static_cast<int64_t>(connection_->output().size()) >
        connection_->limits().connection_read_pause_bytes) {
      connection_->CloseAfterFlush("HTTP/1 peer does not read");
      return;
    }
  }
}

bool HttpSession::Serve(absl::string_view head) {
  const std::vector<absl::string_view> lines = absl::StrSplit(head, "\r\n");
  const std::vector<absl::string_view> words = absl::StrSplit(lines[0], ' ');
  if (words.size() != 3 || !absl::StartsWith(words[2], "HTTP/1.") || words[1].empty() ||
      words[1][0] != '/') {
    Refuse(400, "malformed request\n");
    return false;
  }
  bool keep = words[2] != "HTTP/1.0" && !draining_;
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon == absl::string_view::npos) {
      Refuse(400, "malformed header\n");
      return false;
    }
    const absl::string_view name = lines[i].substr(0, colon);
    const absl::string_view value = absl::StripAsciiWhitespace(lines[i].substr(colon + 1));
    if (absl::EqualsIgnoreCase(name, "connection") && absl::EqualsIgnoreCase(value, "close")) {
      keep = false;
    }
    const bool has_body = (absl::EqualsIgnoreCase(name, "content-length") && value != "0") ||
                          absl::EqualsIgnoreCase(name, "transfer-encoding");
    if (has_body) {
      Refuse(413, "requests with a body are not served here\n");
      return false;
    }
  }
  if (words[0] != "GET" && words[0] != "HEAD") {
    Refuse(405, "only GET and HEAD are served here\n");
    return false;
  }
  Send((*handler_)(words[1]), words[0] == "GET", keep);
  return keep;
}

void HttpSession::Refuse(int status, absl::string_view text) {
  connection_->budget().counters().CountRefusal(NetRefusal::kHttp1Malformed);
  HttpResponse response;
  response.status = status;
  response.body = std::string(text);
  Send(response, true, false);
  connection_->CloseAfterFlush("HTTP/1 request refused");
}

void HttpSession::Send(const HttpResponse& response, bool with_body, bool keep) {
  const std::string head = absl::StrCat(
      "HTTP/1.1 ", response.status, " ", ReasonOf(response.status),
      "\r\nContent-Type: ", response.content_type, "\r\nContent-Length: ", response.body.size(),
      "\r\nX-Content-Type-Options: nosniff\r\nConnection: ", keep ? "keep-alive" : "close",
      "\r\n\r\n");
  connection_->output().Append(head);
  if (with_body) connection_->output().AppendShared(SharedBytes(response.body));
  connection_->MarkDirty();
}

void HttpSession::OnWatch(int64_t now_nanos) {
  const int64_t quiet = now_nanos - connection_->last_read_nanos();
  // The same bound for a request that dribbles in and for an idle connection
  // would let a scraper of every 15 s reconnect each time.
  const NetLimits& limits = connection_->limits();
  const absl::Duration bound = kept_.empty() ? limits.keepalive_interval + limits.keepalive_timeout
                                             : limits.first_bytes_timeout;
  if (quiet > absl::ToInt64Nanoseconds(bound)) connection_->Close("HTTP/1 connection idle");
}

void HttpSession::Drain() {
  draining_ = true;
  if (kept_.empty()) connection_->CloseAfterFlush("drained");
}

}  // namespace totora::net
