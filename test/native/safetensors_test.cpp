// Hostile safetensors files: each defect by its own, and truncation at every byte.
#include "format/safetensors.h"

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

struct Bad {
  std::string what, header;
  uint64_t data;  // bytes behind the header
};

std::string nested(int levels) {
  return R"({"a":)" + std::string(static_cast<size_t>(levels), '[') +
         std::string(static_cast<size_t>(levels), ']') + "}";
}

const std::vector<Bad>& bad_headers() {
  static const std::vector<Bad> list = {
      {"empty", "", 0},
      {"a list", "[]", 0},
      {"leading space", R"( {})", 0},
      {"byte order mark", "\xef\xbb\xbf{}", 0},
      {"something behind", "{}x", 0},
      {"nesting", nested(100'000), 0},
      {"duplicate tensor, same offsets",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
       8},
      {"overlap",
       R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}})",
       12},
      {"hole",
       R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[6,10]}})",
       10},
      {"hole at the start", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6},
      {"bytes at the end", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 5},
      {"data cut", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3},
      {"shape overflows",
       R"({"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}})", 4},
      {"dimension of 2^63 beside 0",
       R"({"a":{"dtype":"F32","shape":[9223372036854775808,0],"data_offsets":[0,0]}})", 0},
      {"dimension of 2^31", R"({"a":{"dtype":"U8","shape":[2147483648],"data_offsets":[0,4]}})", 4},
      {"negative dimension", R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})", 2},
      {"fraction as dimension", R"({"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}})", 2},
      {"exponent as dimension", R"({"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}})", 2},
      {"offsets reversed", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", 2},
      {"negative offset", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}})", 2},
      {"fraction as offset", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2.0]}})", 2},
      {"three offsets", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1,2]}})", 2},
      {"size and shape disagree", R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8},
      {"unknown dtype", R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", 8},
      {"no dtype", R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8},
      {"entry is a number", R"({"a":7})", 0},
      {"rank 9", R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1},
      {"metadata that nests", R"({"__metadata__":{"a":{}}})", 0},
      {"name with a control character", R"({"a\u0000b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},
      {"long name", "{\"" + std::string(513, 'x') + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       1},
      {"empty name", R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},
      {"padding of NUL", std::string("{}\0\0", 4), 0},
  };
  return list;
}

}  // namespace

TEST_CASE("each defect of a header is refused, from memory and from a file") {
  const TemporaryFolder folder;
  for (const Bad& bad : bad_headers()) {
    CAPTURE(bad.what);
    std::string message;
    CHECK(code_of([&] { parse_safetensors_header(bad.header, bad.data, "x.safetensors"); }, &message) ==
          "INVALID_SAFETENSORS");
    CHECK(message.starts_with("x.safetensors: "));
    CHECK(message.size() < 400);
    CHECK(message.find('\n') == std::string::npos);
    folder.write("bad.safetensors", safetensors_bytes(bad.header, std::string(bad.data, 'd')));
    CHECK(code_of([&] { Safetensors file(folder.path("bad.safetensors")); }) == "INVALID_SAFETENSORS");
  }
}

TEST_CASE("too many tensors and too long a header are refused before they cost memory") {
  std::string many = "{";
  for (int i = 0; i < 100'001; ++i)
    many += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  CHECK(code_of([&] { parse_safetensors_header(many + "}", 0, "x"); }) == "INVALID_SAFETENSORS");
  const TemporaryFolder folder;
  for (const char* length :
       {"\xff\xff\xff\xff\xff\xff\xff\xff", "\0\0\0\0\0\0\0\x80", "\x01\xe1\xf5\x05\0\0\0\0"}) {
    folder.write("long.safetensors", std::string(length, 8) + "{}");
    CHECK(code_of([&] { Safetensors file(folder.path("long.safetensors")); }) == "INVALID_SAFETENSORS");
  }
}

TEST_CASE("a valid file is read, unaligned data and padded header included, and every cut of it is refused") {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[1,5]},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}   )";
  const std::string whole = safetensors_bytes(header, std::string("\x07\x80\x3f\x00\xc0", 5));
  const TemporaryFolder folder;
  folder.write("good.safetensors", whole);
  const Safetensors file(folder.path("good.safetensors"));
  REQUIRE(file.tensors().size() == 2);
  const TensorInfo& b = file.tensors().at("b");
  CHECK(b.shape == std::vector<int64_t>{2, 1});
  float values[2];
  convert_to_f32(file.contents(b), b.dtype, values, 2);
  CHECK(values[0] == 1.0f);
  CHECK(values[1] == -2.0f);

  int64_t accepted = 0;
  for (size_t length = 0; length < whole.size(); ++length) {
    folder.write("cut.safetensors", whole.substr(0, length));
    accepted += code_of([&] { Safetensors cut(folder.path("cut.safetensors")); }) != "INVALID_SAFETENSORS";
  }
  CHECK(accepted == 0);
}

TEST_CASE("every single flipped byte is either refused by name or read without harm") {
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})";
  const std::string whole = safetensors_bytes(header, "123456");
  const TemporaryFolder folder;
  int64_t refused = 0, read = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x20', '\x80'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      folder.write("changed.safetensors", changed);
      const std::string code = code_of([&] {
        const Safetensors file(folder.path("changed.safetensors"));
        size_t sum = 0;
        for (const auto& entry : file.tensors()) {
          for (const uint8_t byte : file.contents(entry.second)) sum += byte;
        }
        CHECK(sum < 10'000);
      });
      if (code.empty()) {
        ++read;
      } else {
        CHECK(code == "INVALID_SAFETENSORS");
        ++refused;
      }
    }
  }
  CHECK(refused > read);
  CHECK(read > 0);
}

TEST_CASE("files that are not there or not files") {
  const TemporaryFolder folder;
  CHECK(code_of([&] { Safetensors file(folder.path("none.safetensors")); }) == "FILE_NOT_FOUND");
  CHECK(code_of([&] { Safetensors file(folder.path()); }) == "FILE_UNREADABLE");
  CHECK(code_of([&] { Safetensors file("/dev/zero"); }) == "FILE_UNREADABLE");
}
