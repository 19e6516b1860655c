#pragma once

#include <string>
#include <vector>

#include "support.h"

namespace deltascope::test {

/// A safetensors file that must be refused, with the number it has in hostile_test.cpp and words of the
/// refusal.
struct HostileFile {
  int number;
  const char* what;
  std::string bytes;
  const char* named;
};

/// The entry of a tensor in a header.
inline std::string entry(const std::string& tensor, const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
  return "\"" + tensor + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

inline std::vector<HostileFile> hostile_safetensors() {
  const auto length = [](std::string text) { return text.append(8 - text.size(), '\0'); };
  const auto file = [](const std::string& entries, size_t data) {
    return safetensors_bytes("{" + entries + "}", std::string(data, 'd'));
  };
  const auto repeated = [](const std::string& text, size_t times) {
    std::string all;
    for (size_t i = 0; i < times; ++i) all += text;
    return all;
  };
  std::string many;
  for (int i = 0; i < 200'000; ++i)
    many += (i == 0 ? "" : ",") + entry(std::to_string(i), "U8", "[0]", "[0,0]");
  const std::string a = entry("a", "U8", "[4]", "[0,4]");
  return {
      {1, "no byte", "", "has 0 bytes"},
      {1, "7 bytes", std::string(7, '\0'), "has 7 bytes"},
      {1, "8 bytes, an empty header", std::string(8, '\0'), "header"},
      {1, "header of 2^63 bytes", std::string("\0\0\0\0\0\0\0\x80{}", 10), "9223372036854775808"},
      {1, "header of 2^64 - 1 bytes", std::string(8, '\xff') + "{}", "18446744073709551615"},
      {2, "header one byte longer than the file", length("\x03") + "{}", "header claims 3"},
      {2, "header of 100,000,001 bytes", length("\x01\xe1\xf5\x05") + "{}", "header claims 100000001"},
      {2, "header longer than 16 MiB, all there", safetensors_bytes("{}" + std::string((16 << 20) - 1, ' ')),
       "16777217"},
      {3, "one tensor twice, same offsets, another dtype",
       file(entry("a", "F32", "[2]", "[0,8]") + "," + entry("a", "U8", "[8]", "[0,8]"), 8),
       "key a appears twice"},
      {3, "one tensor twice, other offsets",
       file(entry("a", "U8", "[4]", "[0,4]") + "," + entry("a", "U8", "[4]", "[4,8]"), 8),
       "key a appears twice"},
      {4, "overlap", file(entry("a", "U8", "[8]", "[0,8]") + "," + entry("b", "U8", "[8]", "[4,12]"), 12),
       "overlap or leave a hole at byte 8"},
      {4, "two tensors over the same bytes",
       file(entry("a", "U8", "[8]", "[0,8]") + "," + entry("b", "U8", "[8]", "[0,8]"), 8), "overlap"},
      {5, "hole", file(a + "," + entry("b", "U8", "[4]", "[6,10]"), 10), "hole at byte 4"},
      {5, "hole at the start", file(entry("a", "U8", "[4]", "[2,6]"), 6), "hole at byte 0"},
      {5, "an archive behind the data", file(a, 4) + "PK\3\4", "cover 4 of 8"},
      {6, "2^32 x 2^32", file(entry("a", "U8", "[4294967296,4294967296]", "[0,4]"), 4), "tensor a"},
      {6, "2^63 x 2", file(entry("a", "U8", "[9223372036854775808,2]", "[0,4]"), 4), "tensor a"},
      {6, "2^63 x 0", file(entry("a", "F32", "[9223372036854775808,0]", "[0,0]"), 0), "tensor a"},
      {6, "dimension of 2^31", file(entry("a", "U8", "[2147483648]", "[0,4]"), 4), "2^31 - 1"},
      {6, "each dimension in range, their product not",
       file(entry("a", "F32", "[2147483647,2147483647,2147483647]", "[0,4]"), 4), "its size overflows"},
      {6, "fits 64 bits, not the file", file(entry("a", "U8", "[2147483647,2147483647]", "[0,4]"), 4),
       "offsets give 4"},
      {7, "offsets reversed", file(entry("a", "U8", "[2]", "[2,0]"), 2), "tensor a"},
      {7, "negative offset", file(entry("a", "U8", "[2]", "[-2,0]"), 2), "data_offsets"},
      {7, "fraction as offset", file(entry("a", "U8", "[8]", "[0,8.0]"), 8), "data_offsets"},
      {7, "three offsets", file(entry("a", "U8", "[2]", "[0,1,2]"), 2), "data_offsets"},
      {7, "offset of 2^64", file(entry("a", "U8", "[2]", "[0,18446744073709551616]"), 2), "data_offsets"},
      {7, "fraction as dimension", file(entry("a", "U8", "[2.0]", "[0,2]"), 2), "dimension"},
      {7, "exponent as dimension", file(entry("a", "U8", "[2e0]", "[0,2]"), 2), "dimension"},
      {7, "negative dimension", file(entry("a", "U8", "[-2]", "[0,2]"), 2), "dimension"},
      {7, "size and shape disagree", file(entry("a", "F32", "[3]", "[0,8]"), 8), "needs 12 bytes"},
      {7, "cut inside the last tensor", file(a, 3), "ends at byte 4 of 3"},
      {8, "a list", safetensors_bytes("[]"), "does not start with {"},
      {8, "byte order mark", safetensors_bytes("\xef\xbb\xbf{}"), "does not start with {"},
      {8, "padding of NUL", safetensors_bytes(std::string("{}\0\0", 4)), "NUL"},
      {8, "lists 100,000 deep", file("\"a\":" + std::string(100'000, '[') + std::string(100'000, ']'), 0),
       "nested"},
      {8, "objects 100,000 deep", file(repeated(R"("a":{)", 100'000) + std::string(100'000, '}'), 0),
       "nested"},
      {8, "leading space", safetensors_bytes(" {}"), "does not start with {"},
      {8, "something behind the header's value", safetensors_bytes("{}x"), "not valid JSON"},
      {8, "bytes that are not UTF-8", file(entry("\xff", "U8", "[0]", "[0,0]"), 0), "not valid JSON"},
      {8, "entry that is a number", file(R"("a":7)", 0), "tensor a"},
      {8, "no dtype", file(R"("a":{"shape":[2],"data_offsets":[0,2]})", 2), "tensor a"},
      {8, "unknown dtype", file(entry("a", "F31", "[2]", "[0,8]"), 8), "F31"},
      {8, "metadata that nests", file(R"("__metadata__":{"a":{}})", 0), "__metadata__"},
      {10, "200,000 empty tensors", file(many, 0), "100,000 tensors"},
      {10, "3 million values in one entry", file("\"a\":[0" + repeated(",0", 3'000'000) + "]", 0),
       "2097152 values"},
      {10, "rank 10,000", file(entry("a", "U8", "[1" + repeated(",1", 9'999) + "]", "[0,1]"), 1),
       "at most 8"},
      {10, "rank 9", file(entry("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1), "at most 8"},
      {11, "name with NUL", file(entry(R"(a\u0000b)", "U8", "[1]", "[0,1]"), 1), "name"},
      {11, "name with a line feed", file(entry(R"(a\nb)", "U8", "[1]", "[0,1]"), 1), "name"},
      {11, "empty name", file(entry("", "U8", "[1]", "[0,1]"), 1), "name"},
      {11, "name of 513 bytes", file(entry(std::string(513, 'x'), "U8", "[1]", "[0,1]"), 1), "name"},
      {11, "name of 1 MB", file(entry(std::string(1'000'000, 'x'), "U8", "[1]", "[0,1]"), 1), "name"},
  };
}

}  // namespace deltascope::test
