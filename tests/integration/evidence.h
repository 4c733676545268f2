// What can be seen of a process from outside, for the report of a test that failed.
#ifndef TOTORA_TESTS_INTEGRATION_EVIDENCE_H_
#define TOTORA_TESTS_INTEGRATION_EVIDENCE_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace totora::integration {

// Whether `pid` runs, what each of its threads waits for, and the last lines
// of `files`, those that exist.
std::string EvidenceOf(pid_t pid, const std::vector<std::string>& files);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_EVIDENCE_H_
