#include "net/event_loop.h"

#include <pthread.h>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "net/loop_core.h"

namespace totora {

EventLoop::EventLoop(const std::string& name)
    : core_(std::make_shared<net::LoopCore>()), thread_([core = core_] { core->Run(); }) {
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

EventLoop::~EventLoop() { Stop(); }

void EventLoop::Post(Task task) { core_->Post(std::move(task)); }

void EventLoop::PostAfter(absl::Duration delay, Task task) {
  core_->PostAfter(delay, std::move(task));
}

void EventLoop::Stop() {
  TOTORA_CHECK(!IsCurrent()) << "an event loop cannot stop itself";
  core_->Stop();
  if (thread_.joinable()) thread_.join();
}

EventLoopPool::EventLoopPool(const std::string& name, size_t size) {
  TOTORA_CHECK(size > 0);
  for (size_t i = 0; i < size; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(absl::StrCat(name, "-", i)));
  }
}

void EventLoopPool::Stop() {
  for (const auto& loop : loops_) loop->Stop();
}

}  // namespace totora
