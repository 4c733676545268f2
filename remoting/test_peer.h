// What remoting's tests share: a connection whose other end is the test.
#ifndef TOTORA_REMOTING_TEST_PEER_H_
#define TOTORA_REMOTING_TEST_PEER_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/executor.h"
#include "net/raw_connection.h"
#include "remoting/frame.h"
#include "remoting/server.h"

namespace totora::remoting {

// Net's side of a connection, without a socket.
class TestRawConnection : public RawConnection {
 public:
  TestRawConnection(Executor* executor, uint64_t id, const std::string& peer)
      : executor_(executor), info_{id, peer, "10.0.0.1:10911", "classic"} {}

  const ConnectionInfo& info() const override { return info_; }
  Executor* executor() override { return executor_; }
  bool Write(std::string bytes) override {
    if (!is_closed) written += bytes;
    return is_writable;
  }
  bool Write(std::vector<SharedBytes> pieces) override {
    for (const SharedBytes& piece : pieces) {
      if (!is_closed) written.append(piece.view().data(), piece.size());
    }
    return is_writable;
  }
  void Close() override { is_closed = true; }
  void PauseReading() override { is_paused = true; }
  void ResumeReading() override { is_paused = false; }

  std::string written;
  bool is_writable = true;
  bool is_closed = false;
  bool is_paused = false;

 private:
  Executor* const executor_;
  const ConnectionInfo info_;
};

// A client: sends frames, and reads ours.
class TestPeer {
 public:
  TestPeer(const RemotingServer& server, Executor* executor,
           const std::string& address = "10.0.0.9:5555") {
    static uint64_t next_id = 0;
    raw = std::make_shared<TestRawConnection>(executor, ++next_id, address);
    handler = server.protocol().factory(raw);
  }
  ~TestPeer() { Disconnect(); }

  // Bytes arrive; what the handler leaves is presented again with the next.
  void Send(absl::string_view bytes) {
    pending_.append(bytes.data(), bytes.size());
    const size_t consumed = handler->OnData(pending_);
    ASSERT_LE(consumed, pending_.size());
    pending_.erase(0, consumed);
  }
  void Send(const Head& head, const FieldBuffer& fields = {}, absl::string_view body = "") {
    std::string frame;
    ASSERT_TRUE(AppendFrameHead(head, fields, body.size(), &frame).ok());
    frame.append(body.data(), body.size());
    Send(frame);
  }
  void Disconnect() {
    if (handler == nullptr) return;
    handler->OnClosed();
    handler = nullptr;
  }

  // All frames that have arrived since the last call.
  std::vector<Command> Received() {
    std::vector<Command> frames;
    absl::string_view rest = raw->written;
    while (!rest.empty()) {
      const absl::StatusOr<size_t> size = FrameSize(rest);
      if (!size.ok() || *size == 0 || *size > rest.size()) {
        ADD_FAILURE() << "half a frame, or none: " << size.status();
        break;
      }
      absl::StatusOr<Command> frame = DecodeFrame(rest.substr(0, *size));
      EXPECT_TRUE(frame.ok()) << frame.status();
      if (frame.ok()) frames.push_back(*std::move(frame));
      rest.remove_prefix(*size);
    }
    raw->written.clear();
    return frames;
  }

  std::shared_ptr<TestRawConnection> raw;
  std::unique_ptr<RawHandler> handler;

 private:
  std::string pending_;
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_TEST_PEER_H_
