// Texts of settings in the bodies of 25, 26, 318 and 319: what
// java.util.Properties writes and reads.
#ifndef TOTORA_REMOTING_PROPERTIES_TEXT_H_
#define TOTORA_REMOTING_PROPERTIES_TEXT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::remoting {

// No tool changes more at a time.
inline constexpr size_t kPropertiesMax = 1000;

// The keys and values of lines key=value in their order, as Properties.load reads
// them: '#' and '!' begin comments, '=', ':' or blanks end a key, a backslash at
// the end continues a line, before other characters it takes them as they are,
// but for \t, \n, \r, \f and \uXXXX.
// Errors: InvalidArgument: half an escape, or more than kPropertiesMax.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseProperties(
    absl::string_view text);

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_PROPERTIES_TEXT_H_
