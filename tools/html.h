// Text in a page.
#pragma once

#include <string>
#include <string_view>

namespace powercut::tools {

// With &, < and > as a page writes them.
inline std::string html_text(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '&') {
      out += "&amp;";
    } else if (letter == '<') {
      out += "&lt;";
    } else if (letter == '>') {
      out += "&gt;";
    } else {
      out += letter;
    }
  }
  return out;
}

}  // namespace powercut::tools
