"""The native backend: aiortc and PyAV behind the SPI, without a C++ toolchain."""
