// One accepted socket and the protocol that was recognised on it. Internal to net.
//
// Reading: when the socket has bytes they go through the loop's buffer to the
// Protocol, which deals with them or keeps a copy. Writing is pulled: at the
// end of each turn Flush() asks the protocol for output and hands it to the
// kernel in gather writes, until either has no more.
#ifndef TOTORA_NET_CONNECTION_H_
#define TOTORA_NET_CONNECTION_H_

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "net/connection_info.h"
#include "net/loop_core.h"
#include "net/output_buffer.h"
#include "net/serving.h"

namespace totora::net {

// The inside of a connection: one of sniffing, HTTP/2, HTTP/1, raw. Owned by its
// Connection; a method may call Connection::Close, which destroys nothing
// before the turn ends.
//
// Thread safety: confined to the connection's loop.
class Protocol {
 public:
  virtual ~Protocol() = default;

  // All of `bytes` is the protocol's from now on; the view ends with the call.
  virtual void OnBytes(absl::string_view bytes) = 0;
  // The peer will send no more. True keeps the connection to write what is left.
  virtual bool OnEof() { return false; }
  // Moves what there is to say into Connection::output(), at most about 256 KiB.
  virtual void FillOutput() {}
  // `total` bytes of all that ever went into output() were handed to the kernel.
  virtual void OnWritten(uint64_t total) { (void)total; }
  // Called every watch interval.
  virtual void OnWatch(int64_t now_nanos) { (void)now_nanos; }
  virtual void Drain() {}
  // The last call.
  virtual void OnClosed() {}
  // Bytes that wait in the protocol, for the decision to pause reading.
  virtual int64_t HeldOutputBytes() const { return 0; }
};

// Thread safety: confined to `core()`, but for the const accessors of what
// never changes.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Takes over `fd`, non-blocking, and its place in `serving->connections`
  // and in the budget's count.
  Connection(std::shared_ptr<LoopCore> core, std::shared_ptr<Serving> serving, int fd,
             ConnectionInfo info);
  ~Connection();

  // Begins to read.
  void Start();

  LoopCore& core() { return *core_; }
  const std::shared_ptr<LoopCore>& shared_core() const { return core_; }
  const std::shared_ptr<Serving>& serving() const { return serving_; }
  NetBudget& budget() { return *serving_->budget; }
  const NetLimits& limits() const { return serving_->budget->limits(); }
  const std::shared_ptr<const ConnectionInfo>& info() const { return info_; }
  absl::Duration watch_interval() const;

  // Sniffing has found out; `bytes` are what was read so far.
  void Become(std::unique_ptr<Protocol> protocol, absl::string_view bytes);

  OutputBuffer& output() { return output_; }
  // Bytes handed to the kernel so far, and with those in output().
  uint64_t written_total() const { return written_total_; }
  uint64_t output_end() const { return written_total_ + output_.size(); }

  // There is something to FillOutput.
  void MarkDirty();
  void Flush();

  // Ends the connection now. Idempotent.
  void Close(absl::string_view why);
  // Ends it once output() was handed to the kernel; nothing is read any more.
  void CloseAfterFlush(absl::string_view why);
  // As CloseAfterFlush, but does not wait for a peer that does not read.
  void CutOff(absl::string_view why);
  bool is_open() const { return is_open_; }
  bool is_closing() const { return closing_ || !is_open_; }

  // Should the process die, the peer gets a reset. How the connection is closed
  // otherwise does not change.
  void ResetAtDeath();

  void SetReadPaused(bool paused);
  bool is_read_paused() const { return is_paused_by_protocol_ || is_paused_by_output_; }

  void OnWatch();
  void Drain();

  // The time at which the last byte was read.
  int64_t last_read_nanos() const { return last_read_nanos_; }

 private:
  void ArmRead();
  void ArmWrite();
  void OnReadable();
  // True if the kernel took all of output().
  bool WriteOutput();
  void Linger();
  // Uncounts this connection.
  void GiveUpPlace();
  void UpdateReadPause();

  const std::shared_ptr<LoopCore> core_;
  const std::shared_ptr<Serving> serving_;
  const std::shared_ptr<const ConnectionInfo> info_;
  boost::asio::posix::stream_descriptor socket_;
  std::unique_ptr<Protocol> protocol_;
  std::unique_ptr<Protocol> previous_;  // Sniffing, while its OnBytes is on the stack.

  OutputBuffer output_;
  uint64_t written_total_ = 0;
  int64_t last_read_nanos_ = 0;
  int64_t last_write_nanos_ = 0;  // Progress, or nothing to write.
  bool has_place_ = true;
  bool is_open_ = true;
  bool is_dirty_ = false;
  bool is_read_armed_ = false;
  bool is_write_armed_ = false;  // The kernel's buffer is full.
  bool closing_ = false;         // Close when output() is empty.
  bool lingering_ = false;
  bool resets_at_death_ = false;
  bool is_paused_by_protocol_ = false;
  bool is_paused_by_output_ = false;
};

}  // namespace totora::net

#endif  // TOTORA_NET_CONNECTION_H_
