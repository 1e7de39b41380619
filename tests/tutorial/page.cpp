#include "tests/tutorial/page.h"

#include <optional>

namespace powercut::testing {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::optional<Block::Kind> kind_of(std::string_view language, std::string_view name) {
  if (language == "sh") return name == "fails" ? Block::Kind::kFailingCommands : Block::Kind::kCommands;
  if (language == "text") return Block::Kind::kOutput;
  if (name.empty()) return std::nullopt;
  return language == "diff" ? Block::Kind::kChange : Block::Kind::kFile;
}

// A pattern in which "…" stands for anything or nothing.
bool like(std::string_view line, std::string_view pattern) {
  constexpr std::string_view kAnything = "…";
  std::size_t gap = pattern.find(kAnything);
  if (gap == std::string_view::npos) return line == pattern;
  if (!line.starts_with(pattern.substr(0, gap))) return false;
  line.remove_prefix(gap);
  pattern.remove_prefix(gap + kAnything.size());
  for (gap = pattern.find(kAnything); gap != std::string_view::npos; gap = pattern.find(kAnything)) {
    const std::size_t at = line.find(pattern.substr(0, gap));
    if (at == std::string_view::npos) return false;
    line.remove_prefix(at + gap);
    pattern.remove_prefix(gap + kAnything.size());
  }
  return line.ends_with(pattern);
}

}  // namespace

std::vector<Block> blocks_of(std::string_view page) {
  constexpr std::string_view kFence = "```";
  std::vector<Block> blocks;
  std::optional<Block> open;
  bool inside = false;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(page)) {
    ++number;
    if (!line.starts_with(kFence)) {
      if (open) open->text.append(line).append("\n");
      continue;
    }
    if (inside) {
      if (open) blocks.push_back(std::move(*open));
      open.reset();
    } else {
      const std::string_view words = line.substr(kFence.size());
      const std::size_t space = std::min(words.find(' '), words.size());
      const std::string_view name = words.substr(std::min(space + 1, words.size()));
      if (const auto kind = kind_of(words.substr(0, space), name)) open = Block{*kind, std::string(name), {}, number};
    }
    inside = !inside;
  }
  return blocks;
}

std::string changed(const std::string& file, std::string_view change) {
  std::string before;
  std::string after;
  for (const std::string_view line : lines_of(change)) {
    const std::string text = std::string(line.substr(std::min<std::size_t>(1, line.size()))) + "\n";
    if (!line.starts_with('+')) before += text;
    if (!line.starts_with('-')) after += text;
  }
  const std::size_t at = file.find(before);
  if (at == std::string::npos || file.find(before, at + 1) != std::string::npos) return {};
  return file.substr(0, at) + after + file.substr(at + before.size());
}

Shown shown_in(std::string_view shown, std::string_view printed) {
  const auto lines = lines_of(printed);
  std::size_t at = 0;
  for (const std::string_view wanted : lines_of(shown)) {
    if (wanted.empty()) continue;
    while (at < lines.size() && !like(lines[at], wanted)) ++at;
    if (at == lines.size()) return {false, std::string(wanted)};
    ++at;
  }
  return {};
}

}  // namespace powercut::testing
