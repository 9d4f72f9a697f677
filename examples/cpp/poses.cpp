// Draw the poses of people into a photograph, with ONNX Runtime's C++ interface: a sketch to start from.
//
//   poses pose.onnx photo.ppm poses.ppm [detector.onnx]
//
// The photograph is a PPM (P6) or PGM (P5) file of 8 bits: `convert photo.jpg -auto-orient -depth 8 photo.ppm` makes
// one. Without a detector there is one person, in the whole image.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

constexpr float kSure = 0.3F;  // keypoints of lower scores are not drawn

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  // row by row

  void Dot(float x, float y, int radius, std::array<uint8_t, 3> colour) {
    for (int64_t row = std::lround(y) - radius; row <= std::lround(y) + radius; ++row)
      for (int64_t column = std::lround(x) - radius; column <= std::lround(x) + radius; ++column)
        if (row >= 0 && column >= 0 && row < height && column < width)
          std::copy(colour.begin(), colour.end(), rgb.begin() + 3 * (row * width + column));
  }

  void Line(const float* from, const float* to, std::array<uint8_t, 3> colour) {
    const int steps = 1 + static_cast<int>(std::hypot(to[0] - from[0], to[1] - from[1]));
    for (int i = 0; i <= steps; ++i) {
      const float share = static_cast<float>(i) / static_cast<float>(steps);
      Dot(from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1]), 1, colour);
    }
  }
};

Image ReadImage(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  auto word = [&file] {  // comments, from # to the end of a line, may stand between the numbers
    std::string text;
    while (file >> text && text[0] == '#') std::getline(file, text);
    return text;
  };
  const std::string kind = word(), width = word(), height = word(), most = word();
  const int channels = kind == "P6" ? 3 : kind == "P5" ? 1 : 0;
  if (channels == 0 || most != "255") throw std::runtime_error(path + " is no PPM or PGM file of 8 bits");
  Image image{std::stoll(width), std::stoll(height), {}};
  std::vector<uint8_t> bytes(image.width * image.height * channels);
  file.get();
  if (!file.read(reinterpret_cast<char*>(bytes.data()), bytes.size())) throw std::runtime_error(path + " is cut off");
  image.rgb.resize(image.width * image.height * 3);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = bytes[channels == 3 ? i : i / 3];
  return image;
}

// The pairs of keypoints that limbs connect: the numbers of "skeleton": [[15, 13], ...] in the file's metadata.
std::vector<int> Limbs(const Ort::Session& session) {
  Ort::AllocatorWithDefaultOptions allocator;
  const auto meta = session.GetModelMetadata().LookupCustomMetadataMapAllocated("mmtranspose", allocator);
  const std::string text = meta ? meta.get() : "", key = "\"skeleton\": [";
  size_t at = text.find(key);
  if (at == std::string::npos) throw std::runtime_error("the first file was not written by `mmtranspose export`");
  at += key.size();
  std::vector<int> numbers;
  for (const size_t end = text[at] == ']' ? at : text.find("]]", at); at < end; ++at)
    if (std::isdigit(text[at]) && !std::isdigit(text[at - 1])) numbers.push_back(std::atoi(&text[at]));
  return numbers;
}

int main(int argc, char** argv) try {
  if (argc != 4 && argc != 5) throw std::runtime_error("poses POSE.onnx PHOTO.ppm OUTPUT.ppm [DETECTOR.onnx]");
  Image image = ReadImage(argv[2]);
  const Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "poses");
  const Ort::SessionOptions options;
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto tensor = [&memory](auto& values, std::vector<int64_t> shape) {
    return Ort::Value::CreateTensor(memory, values.data(), values.size(), shape.data(), shape.size());
  };
  std::array<Ort::Value, 2> inputs{tensor(image.rgb, {image.height, image.width, 3}), Ort::Value{nullptr}};
  const std::array<const char*, 2> given{"image", "boxes"}, wanted{"keypoints", "scores"};

  std::vector<float> boxes{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
  if (argc == 5) {
    Ort::Session detector(env, std::filesystem::path(argv[4]).c_str(), options);
    const auto found = detector.Run({}, given.data(), inputs.data(), 1, &given[1], 1);
    const float* values = found[0].GetTensorData<float>();
    boxes.assign(values, values + found[0].GetTensorTypeAndShapeInfo().GetElementCount());
  }
  Ort::Session pose(env, std::filesystem::path(argv[1]).c_str(), options);
  const std::vector<int> limbs = Limbs(pose);
  if (!boxes.empty()) {  // not every runtime can run on nobody
    inputs[1] = tensor(boxes, {static_cast<int64_t>(boxes.size() / 4), 4});
    const auto found = pose.Run({}, given.data(), inputs.data(), 2, wanted.data(), 2);
    const auto shape = found[1].GetTensorTypeAndShapeInfo().GetShape();
    for (int64_t person = 0; person < shape[0]; ++person) {
      const float* points = found[0].GetTensorData<float>() + person * shape[1] * 2;
      const float* scores = found[1].GetTensorData<float>() + person * shape[1];
      for (size_t i = 0; i + 1 < limbs.size(); i += 2)
        if (std::min(scores[limbs[i]], scores[limbs[i + 1]]) >= kSure)
          image.Line(points + 2 * limbs[i], points + 2 * limbs[i + 1], {0, 200, 255});
      for (int64_t k = 0; k < shape[1]; ++k) {
        std::printf("%d %d %.3f %.3f %.4f\n", int(person), int(k), points[2 * k], points[2 * k + 1], scores[k]);
        if (scores[k] >= kSure) image.Dot(points[2 * k], points[2 * k + 1], 2, {255, 255, 255});
      }
    }
  }
  std::ofstream file(argv[3], std::ios::binary);
  file << "P6\n" << image.width << ' ' << image.height << "\n255\n";
  file.write(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
  if (!file.flush()) throw std::runtime_error(std::string(argv[3]) + " cannot be written");
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
