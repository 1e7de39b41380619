// Little-endian loads and stores, and the reader and writer over byte strings that every codec of ours uses.
//
// On-disk integers are little-endian on every machine. ByteReader never reads past its end: a short input makes
// ok() false and every later value zero, so a decoder checks once, at its end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace powercut {

using std::byte;

static_assert(std::endian::native == std::endian::little, "codecs store native integers; a big-endian port must swap here");

template <class T>
T load(const byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
void store(byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

inline std::span<const byte> as_bytes(std::string_view text) { return {reinterpret_cast<const byte*>(text.data()), text.size()}; }

inline std::string_view as_text(std::span<const byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Whether two texts are the same, and the copy of one to where it does not overlap: a word at a time and without a call if they
// are short, as most keys and rows are.
inline constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

inline bool same_bytes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() < kWordBytes || a.size() > 4 * kWordBytes) return a == b;
  const byte* const of_a = as_bytes(a).data();
  const byte* const of_b = as_bytes(b).data();
  const std::size_t last = a.size() - kWordBytes;
  for (std::size_t at = 0; at < last; at += kWordBytes) {
    if (load<std::uint64_t>(of_a + at) != load<std::uint64_t>(of_b + at)) return false;
  }
  return load<std::uint64_t>(of_a + last) == load<std::uint64_t>(of_b + last);
}

inline void copy_bytes(byte* to, std::string_view bytes) {
  const std::size_t size = bytes.size();
  const byte* const from = as_bytes(bytes).data();
  if (size < kWordBytes || size > 4 * kWordBytes) {
    if (size > 0) std::memcpy(to, from, size);
    return;
  }
  const std::size_t last = size - kWordBytes;
  for (std::size_t at = 0; at < last; at += kWordBytes) store(to + at, load<std::uint64_t>(from + at));
  store(to + last, load<std::uint64_t>(from + last));
}

class ByteReader {
 public:
  explicit ByteReader(std::span<const byte> bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    if (bytes_.size() < sizeof(T)) {
      fail();
      return T{};
    }
    const T value = load<T>(bytes_.data());
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }

  std::span<const byte> take(std::size_t count) {
    if (bytes_.size() < count) {
      fail();
      return {};
    }
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }

  std::string_view take_text(std::size_t count) { return as_text(take(count)); }

  bool ok() const { return ok_; }
  std::size_t remaining() const { return bytes_.size(); }

 private:
  void fail() {
    ok_ = false;
    bytes_ = {};
  }

  std::span<const byte> bytes_;
  bool ok_ = true;
};

// Appends to a string that the caller owns and may reuse, so that a warm writer allocates nothing.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class T>
  void put(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    out_.append(raw, sizeof(T));
  }

  void put_text(std::string_view text) { out_.append(text); }

 private:
  std::string& out_;
};

}  // namespace powercut
