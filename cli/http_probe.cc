#include "cli/http_probe.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/status.h"

namespace totora::cli {
namespace {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Nobody(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat(address, ": ", why));
}

// Waits until `events` can be done. Errors: Unavailable after `deadline`.
absl::Status Await(int fd, short events, absl::Time deadline, absl::string_view address) {
  for (;;) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) return Nobody(address, "no answer in time");
    pollfd wanted{fd, events, 0};
    const int ready = poll(&wanted, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return Nobody(address, std::strerror(errno));
  }
}

absl::Status Connect(int fd, const addrinfo& to, absl::Time deadline, absl::string_view address) {
  if (connect(fd, to.ai_addr, to.ai_addrlen) == 0) return absl::OkStatus();
  if (errno != EINPROGRESS) return Nobody(address, std::strerror(errno));
  TOTORA_RETURN_IF_ERROR(Await(fd, POLLOUT, deadline, address));
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? absl::OkStatus() : Nobody(address, std::strerror(error));
}

absl::Status SendAll(int fd, absl::string_view bytes, absl::Time deadline,
                     absl::string_view address) {
  while (!bytes.empty()) {
    TOTORA_RETURN_IF_ERROR(Await(fd, POLLOUT, deadline, address));
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent < 0) return Nobody(address, std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

// Up to the end of the stream.
absl::StatusOr<std::string> ReadAll(int fd, absl::Time deadline, absl::string_view address) {
  std::string bytes;
  char chunk[16384];
  for (;;) {
    TOTORA_RETURN_IF_ERROR(Await(fd, POLLIN, deadline, address));
    const ssize_t got = recv(fd, chunk, sizeof(chunk), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return Nobody(address, std::strerror(errno));
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<size_t>(got));
    if (bytes.size() > kHttpAnswerBytesMax) return Nobody(address, "endless answer");
  }
}

absl::StatusOr<HttpAnswer> Exchange(const addrinfo& to, absl::string_view request,
                                    absl::Time deadline, absl::string_view address) {
  const Socket socket(
      ::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to.ai_protocol));
  if (socket.fd() < 0) return Nobody(address, std::strerror(errno));
  TOTORA_RETURN_IF_ERROR(Connect(socket.fd(), to, deadline, address));
  TOTORA_RETURN_IF_ERROR(SendAll(socket.fd(), request, deadline, address));
  TOTORA_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(socket.fd(), deadline, address));
  absl::StatusOr<HttpAnswer> answer = ParseHttpAnswer(bytes);
  if (!answer.ok()) return Nobody(address, answer.status().message());
  return answer;
}

}  // namespace

absl::StatusOr<HttpAnswer> ParseHttpAnswer(absl::string_view bytes) {
  const size_t head_end = bytes.find("\r\n\r\n");
  if (!absl::StartsWith(bytes, "HTTP/1.") || head_end == absl::string_view::npos) {
    return absl::UnavailableError("what answers there speaks no HTTP");
  }
  const absl::string_view head = bytes.substr(0, head_end);
  const std::vector<absl::string_view> words =
      absl::StrSplit(head.substr(0, head.find("\r\n")), absl::MaxSplits(' ', 2));
  HttpAnswer answer;
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &answer.status)) {
    return absl::UnavailableError("an HTTP answer without a status");
  }
  answer.body = std::string(bytes.substr(head_end + 4));
  for (absl::string_view line : absl::StrSplit(head, "\r\n")) {
    const std::vector<absl::string_view> field = absl::StrSplit(line, absl::MaxSplits(':', 1));
    size_t length = 0;
    if (field.size() == 2 && absl::EqualsIgnoreCase(field[0], "content-length") &&
        absl::SimpleAtoi(absl::StripAsciiWhitespace(field[1]), &length) &&
        answer.body.size() < length) {
      return absl::UnavailableError("the answer breaks off");
    }
  }
  return answer;
}

absl::StatusOr<HttpAnswer> HttpGet(absl::string_view address, absl::string_view path,
                                   absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(absl::StrCat("'", address, "' is not host:port"));
  }
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(std::string(host).c_str(),
                                  std::string(address.substr(colon + 1)).c_str(), &hints, &found);
  if (failure != 0) return Nobody(address, gai_strerror(failure));
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", address,
                                           "\r\nConnection: close\r\n\r\n");
  absl::StatusOr<HttpAnswer> answer = Nobody(address, "has no address");
  for (const addrinfo* to = found; to != nullptr && !answer.ok(); to = to->ai_next) {
    answer = Exchange(*to, request, deadline, address);
  }
  freeaddrinfo(found);
  return answer;
}

}  // namespace totora::cli
