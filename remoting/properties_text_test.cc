#include "remoting/properties_text.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace totora::remoting {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(PropertiesText, IsReadAsJavaReadsIt) {
  EXPECT_EQ(*ParseProperties("a=1\nb = 2 \n\n# c=3\n! d=4\r\n  e:5\nf 6\ng\nh=i=j:k\n"),
            (Pairs{{"a", "1"}, {"b", "2 "}, {"e", "5"}, {"f", "6"}, {"g", ""}, {"h", "i=j:k"}}));
  EXPECT_EQ(*ParseProperties("a\\=b\\ c=d\\\\e\\tf\nlong=one, \\\n   two"),
            (Pairs{{"a=b c", "d\\e\tf"}, {"long", "one, two"}}));
  EXPECT_EQ(*ParseProperties("u=\\u0041\\u00e9\\u4e2d"), (Pairs{{"u", "A\xc3\xa9\xe4\xb8\xad"}}));
  EXPECT_EQ(*ParseProperties(""), Pairs());
}

TEST(PropertiesText, HalfAnEscapeAndTooManyLinesAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(ParseProperties("a=\\u00").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseProperties("a=\\u00+1").status()));
  EXPECT_EQ(*ParseProperties("a=b\\"), (Pairs{{"a", "b"}}));
  std::string text;
  for (size_t i = 0; i < kPropertiesMax; ++i) absl::StrAppend(&text, "k", i, "=v\n");
  EXPECT_EQ(ParseProperties(text)->size(), kPropertiesMax);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseProperties(text + "one=more").status()));
}

}  // namespace
}  // namespace totora::remoting
