#!/bin/sh
# Everything that needs a GPU, in one run: builds, compares the CUDA backend with the processor operation by operation and for
# every golden case, looks for faults and races, and times it beside transformers. Needs CUDA, cmake, PyTorch, transformers and
# safetensors; no Node.
#
#   bench/gpu/run.sh build    builds only, and puts the shared libraries that a bare machine lacks beside: carry build/gpu there
#   bench/gpu/run.sh          builds what is not built; tests; measures; the last line says whether all is well
#
# Settings: SECONDS_LIMIT (540), SHAPES ("qwen3-1.7b qwen3-8b"), TEXTS (10000), WORK (a folder for models, 40 GB: /tmp/deltascope-gpu).
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cd "$root" || exit 1
build=build/gpu
work=${WORK:-/tmp/deltascope-gpu}
limit=${SECONDS_LIMIT:-540}
begun=$(date +%s)
failed=''

left() { echo $((limit - $(date +%s) + begun)); }

# step NAME SECONDS COMMAND…: runs it, no longer than that nor than what is left.
step() {
  title=$1 most=$2
  shift 2
  rest=$(left)
  [ "$rest" -lt "$most" ] || rest=$most
  if [ "$rest" -lt 5 ]; then
    echo "== $title: not run, the time is over"
    failed="$failed, $title (not run)"
    return 1
  fi
  echo "== $title"
  from=$(date +%s)
  if timeout "$rest" "$@"; then
    echo "== $title: well, $(($(date +%s) - from)) s"
  else
    echo "== $title: FAILED ($?), $(($(date +%s) - from)) s"
    failed="$failed, $title"
    return 1
  fi
}

build() {
  architectures=${ARCHITECTURES:-$(nvidia-smi >/dev/null 2>&1 && echo native)}
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDELTASCOPE_BENCH=ON ${ONEDNN:+-DDELTASCOPE_ONEDNN=$ONEDNN} \
    ${architectures:+-DCMAKE_CUDA_ARCHITECTURES=$architectures} &&
    cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target cuda_tests gpu_bench &&
    mkdir -p "$build/lib" &&
    ldd "$build/cuda_tests" | sed -n 's/.*=> \(\/[^ ]*\/lib\(re2\|absl[^ ]*\|dnnl\|gomp\)\.so[^ ]*\).*/\1/p' | xargs -r -I{} cp -L {} "$build/lib/"
}

if [ "${1:-}" = build ]; then
  build
  exit
fi

[ -x "$build/cuda_tests" ] && [ -x "$build/gpu_bench" ] || step 'build' 300 build || exit 1
export LD_LIBRARY_PATH="$root/$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# The tests may have been built at another place.
export DELTASCOPE_TEST_ROOT="$root"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader

step 'a device, and cuBLASLt' 60 "$build/gpu_bench" ceiling || exit 1
step 'parity with the processor' 120 "$build/cuda_tests"
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer /usr/local/cuda*/compute-sanitizer/compute-sanitizer 2>/dev/null | head -n 1)
if [ -n "$sanitizer" ]; then
  step 'compute-sanitizer memcheck' 90 "$sanitizer" --tool memcheck --error-exitcode 9 "$build/cuda_tests" -tce='*golden*'
  step 'compute-sanitizer racecheck' 90 "$sanitizer" --tool racecheck --error-exitcode 9 "$build/cuda_tests" \
    -tc='*norms*,*attention*,*few rows*,*moments*,*first k*,*log-sums*,*chosen*,*probabilities over*'
else
  echo '== compute-sanitizer is not here'
  failed="$failed, compute-sanitizer (missing)"
fi
for shape in ${SHAPES:-qwen3-1.7b qwen3-8b}; do
  step "speed, $shape" 300 python3 bench/gpu/speed.py "$shape" "$work" --bench "$build/gpu_bench" --texts "${TEXTS:-10000}"
done

echo "all of it took $(($(date +%s) - begun)) s"
if [ -z "$failed" ]; then echo 'all is well'; else echo "not well${failed}"; fi
[ -z "$failed" ]
