# The addon `iris_native`: thread pinning everywhere, and DPDK where pkg-config finds libdpdk. Without libdpdk the same
# target builds as a stub that says so, and never fails an install. The addon `iris_memory`: what large tables want, for captures too.
{
  "variables": {
    "have_dpdk%": "<!(pkg-config --exists libdpdk 2>/dev/null && echo 1 || echo 0)",
    # What local builds are tuned for; CI that runs elsewhere sets e.g. -march=x86-64-v2.
    "iris_march%": "native"
  },
  "target_defaults": {
    "cflags": ["-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
    "cflags_cc": ["-std=c++17"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-exceptions"],
    "defines": ["NAPI_VERSION=8"]
  },
  "targets": [
    {
      "target_name": "iris_memory",
      "sources": ["src/tables.cc"]
    },
    {
      "target_name": "iris_native",
      "sources": ["src/addon.cc", "src/thread.cc", "src/send.cc"],
      "conditions": [
        ["OS=='linux' and have_dpdk==1", {
          "defines": ["IRIS_HAVE_DPDK=1", "ALLOW_EXPERIMENTAL_API"],
          "sources": ["src/eal.cc", "src/memory.cc", "src/port.cc", "src/flow.cc", "src/receive.cc", "src/reader.cc", "src/ring.cc", "src/packet_socket.cc"],
          "cflags": ["<!@(pkg-config --cflags libdpdk 2>/dev/null || true)"],
          "libraries": ["<!@(pkg-config --libs libdpdk 2>/dev/null || true)"]
        }],
        ["target_arch=='x64'", { "cflags": ["-march=<(iris_march)"] }]
      ]
    }
  ]
}
