// TOTORA_CHECK: a programmer's error ends the process, in every build.
// TOTORA_DCHECK: the same, only where TOTORA_DCHECKS is defined (dev, sanitizers, simulator).
#ifndef TOTORA_COMMON_CHECK_H_
#define TOTORA_COMMON_CHECK_H_

#include <sstream>
#include <string>

namespace totora::internal {

// Collects `<< values` and aborts in its destructor after printing them.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

struct CheckVoid {
  void operator&(std::ostream&) const {}
};

}  // namespace totora::internal

#define TOTORA_CHECK(condition)                                                          \
  (condition) ? (void)0                                                                  \
              : ::totora::internal::CheckVoid() &                                        \
                    ::totora::internal::CheckFailure(__FILE__, __LINE__, #condition).stream()

#ifdef TOTORA_DCHECKS
#define TOTORA_DCHECK(condition) TOTORA_CHECK(condition)
#else
#define TOTORA_DCHECK(condition) TOTORA_CHECK(true || (condition))
#endif

#endif  // TOTORA_COMMON_CHECK_H_
