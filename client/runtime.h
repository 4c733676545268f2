// The thread on which a client's network work runs. Several clients may share one.
#ifndef TOTORA_CLIENT_RUNTIME_H_
#define TOTORA_CLIENT_RUNTIME_H_

#include <memory>

namespace totora::client {

class Poller;

// Callbacks that clients take (`done` parameters) run on this thread: they must
// not block, and may start further calls.
//
// Thread safety: monitor.
class Runtime {
 public:
  Runtime();
  // REQUIRES: every client on it is gone, and this is not its own thread.
  ~Runtime();

  Poller* poller() const { return poller_.get(); }

 private:
  std::unique_ptr<Poller> poller_;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_RUNTIME_H_
