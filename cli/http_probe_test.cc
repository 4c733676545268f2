#include "cli/http_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"

namespace totora::cli {
namespace {

// Answers one connection with fixed bytes, and keeps what it was asked.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~OneAnswer() {
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }
  const std::string& address() const { return address_; }
  std::string Asked() {
    thread_.join();
    return asked_;
  }

 private:
  void Serve() {
    const int connection = accept(listener_, nullptr, nullptr);
    char bytes[1024];
    while (asked_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = recv(connection, bytes, sizeof(bytes), 0);
      if (got <= 0) break;
      asked_.append(bytes, static_cast<size_t>(got));
    }
    // In two pieces, as a network may deliver it.
    send(connection, answer_.data(), answer_.size() / 2, MSG_NOSIGNAL);
    send(connection, answer_.data() + answer_.size() / 2, answer_.size() - answer_.size() / 2,
         MSG_NOSIGNAL);
    close(connection);
  }

  const std::string answer_;
  int listener_ = -1;
  std::string address_;
  std::string asked_;
  std::thread thread_;
};

TEST(HttpGet, AsksForThePathAndReadsStatusAndBody) {
  OneAnswer server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\n\r\ncatching up\n");
  const absl::StatusOr<HttpAnswer> answer =
      HttpGet(server.address(), "/readyz", absl::Seconds(10));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "catching up\n");
  EXPECT_TRUE(server.Asked().find("GET /readyz HTTP/1.1\r\n") == 0);
}

TEST(HttpGet, AClosedPortIsUnavailable) {
  std::string address;
  {
    OneAnswer server("");
    address = server.address();
    EXPECT_FALSE(HttpGet(address, "/readyz", absl::Seconds(10)).ok());
  }
  EXPECT_TRUE(absl::IsUnavailable(HttpGet(address, "/readyz", absl::Seconds(10)).status()));
}

TEST(HttpGet, WhoNeverAnswersIsUnavailableOnceTheTimeIsOver) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 1), 0);  // The kernel connects; nobody accepts.
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const absl::StatusOr<HttpAnswer> answer = HttpGet(
      absl::StrCat("127.0.0.1:", ntohs(address.sin_port)), "/readyz", absl::Milliseconds(50));
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  close(listener);
}

TEST(HttpGet, AnAddressWithoutAPortIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(HttpGet("localhost", "/", absl::Seconds(1)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(HttpGet(":80", "/", absl::Seconds(1)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(HttpGet("localhost:", "/", absl::Seconds(1)).status()));
}

TEST(ParseHttpAnswer, RefusesWhatIsNoAnswerOrNotAll) {
  EXPECT_FALSE(ParseHttpAnswer("").ok());
  EXPECT_FALSE(ParseHttpAnswer("HTTP/1.1 200 OK\r\n").ok());
  EXPECT_FALSE(ParseHttpAnswer("HTTP/1.1 fine\r\n\r\n").ok());
  EXPECT_FALSE(ParseHttpAnswer("SSH-2.0-OpenSSH\r\n\r\n").ok());
  EXPECT_FALSE(ParseHttpAnswer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\n").ok());
  EXPECT_TRUE(ParseHttpAnswer("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").ok());
}

}  // namespace
}  // namespace totora::cli
