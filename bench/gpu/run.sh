#!/bin/sh
# Everything that needs a GPU, in one run: builds, compares the CUDA backend with the processor operation by operation and for
# every golden case, looks for faults and races, and times it beside transformers. Needs CUDA, cmake, PyTorch, transformers and
# safetensors; no Node.
#
#   bench/gpu/run.sh build    builds only, for a machine that lacks a compiler or a library: carry build/gpu/cuda_tests,
#                             build/gpu/gpu_bench and build/gpu/lib there, to the same places; ONEDNN=OFF leaves oneDNN out
#   bench/gpu/run.sh          builds what is not built; tests; measures; the last line says whether all is well
#
# Settings: SECONDS_LIMIT (540), SHAPES ("qwen3-8b qwen3-1.7b"), TEXTS (10000), WORK (a folder for models, 45 GB: in memory where it
# fits there, else /tmp/deltascope-gpu), ARCHITECTURES (those to build for: that of the GPU here, else all), JOBS.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cd "$root" || exit 1
build=build/gpu
in_memory=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
[ "${in_memory:-0}" -gt 47185920 ] && work=/dev/shm/deltascope-gpu || work=/tmp/deltascope-gpu
work=${WORK:-$work}
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
  if ! command -v nvcc >/dev/null; then # cmake looks on the path only
    for compiler in "${CUDACXX:-}" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /usr/local/cuda*/bin/nvcc; do
      [ -x "$compiler" ] && export CUDACXX="$compiler" && break
    done
    [ -x "${CUDACXX:-}" ] || { echo 'nvcc was not found; CUDACXX may name it' >&2 && return 1; }
  fi
  architectures=${ARCHITECTURES:-$(nvidia-smi >/dev/null 2>&1 && echo native)}
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDELTASCOPE_BENCH=ON ${ONEDNN:+-DDELTASCOPE_ONEDNN=$ONEDNN} \
    ${architectures:+-DCMAKE_CUDA_ARCHITECTURES=$architectures} &&
    cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target cuda_tests gpu_bench &&
    strip -s "$build/cuda_tests" "$build/gpu_bench" &&
    mkdir -p "$build/lib" &&
    ldd "$build/cuda_tests" | sed -n 's/.*=> \(\/[^ ]*\/lib\(re2\|absl[^ ]*\|dnnl\|gomp\)\.so[^ ]*\).*/\1/p' | xargs -r -I{} cp -L {} "$build/lib/"
}

if [ "${1:-}" = build ]; then
  build
  exit
fi

[ -x "$build/cuda_tests" ] && [ -x "$build/gpu_bench" ] || step 'build' 300 sh "$root/bench/gpu/run.sh" build || exit 1
export LD_LIBRARY_PATH="$root/$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# The tests may have been built at another place.
export DELTASCOPE_TEST_ROOT="$root"
# Where Python has the library, which the loader does not know.
if [ -z "${DELTASCOPE_CUBLASLT:-}" ]; then
  library=$(python3 -c 'import glob, sys
names = [f"{path}/nvidia/{package}/lib/libcublasLt.so.1[23]" for path in sys.path for package in ("cu13", "cublas")]
print(next((file for name in names for file in sorted(glob.glob(name))), ""))')
  [ -z "$library" ] || export DELTASCOPE_CUBLASLT="$library"
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader

step 'a device, and cuBLASLt' 60 "$build/gpu_bench" ceiling || exit 1
step 'parity with the processor' 120 "$build/cuda_tests"
for shape in ${SHAPES:-qwen3-8b qwen3-1.7b}; do
  step "speed, $shape" 300 python3 bench/gpu/speed.py "$shape" "$work" --bench "$build/gpu_bench" --texts "${TEXTS:-10000}"
done
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer /usr/local/cuda*/compute-sanitizer/compute-sanitizer 2>/dev/null | head -n 1)
if [ -n "$sanitizer" ]; then
  step 'compute-sanitizer memcheck' 90 "$sanitizer" --tool memcheck --error-exitcode 9 "$build/cuda_tests" -tce='*golden*'
  step 'compute-sanitizer racecheck' 120 "$sanitizer" --tool racecheck --error-exitcode 9 "$build/cuda_tests" \
    -tc='*norms*,*attention*,*few rows*,*moments*,*first k*,*log-sums*,*chosen*,*probabilities over*'
else
  echo '== compute-sanitizer is not here'
  failed="$failed, compute-sanitizer (missing)"
fi

echo "all of it took $(($(date +%s) - begun)) s"
if [ -z "$failed" ]; then echo 'all is well'; else echo "not well${failed}"; fi
[ -z "$failed" ]
