/*
 * Flat C ABI over libwebrtc. Plain C99; once the lines which start with '#' are dropped it is also a valid
 * cffi cdef.
 *
 * Handles. Every object is an int64_t handle > 2^48 which is never reused, so a small counter of the caller's
 * own (the `owner` values) never meets one. 0 is never valid. A wrong, stale or freed handle gives
 * RTC_ERR_INVALID_HANDLE; nothing crashes.
 *
 * Results. Functions return >= 0 on success and a negative rtc_error otherwise; rtc_last_error() has the text
 * for the calling thread. Functions documented as "-> string" return a string handle: read it with
 * rtc_string_data() and free it with rtc_string_free(). All text is UTF-8; all JSON is compact, without NaN.
 *
 * Asynchronous calls carry a `request` chosen by the caller. When such a function returns 0, exactly one
 * RTC_EV_DONE or RTC_EV_ERROR event with that request follows (also when the connection is closed meanwhile);
 * when it returns an error, no event follows.
 *
 * Threads. Any application thread may call any function; inputs are copied before the call returns. No
 * libwebrtc thread ever calls into the application: everything arrives through a queue and its eventfd.
 *
 * Freeing. Any order is allowed. Freeing a connection also frees its transceivers, sinks and channels;
 * freeing a factory frees its connections and sources; a second free gives RTC_ERR_INVALID_HANDLE and does no
 * harm. Frames and strings live until they are freed or until rtc_shutdown_all().
 */
#ifndef BACKENDS_LEGACY_LIBWEBRTC_RTC_SHIM_H_
#define BACKENDS_LEGACY_LIBWEBRTC_RTC_SHIM_H_

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* Changes whenever a signature, a struct or the meaning of a value changes. */
enum { RTC_SHIM_ABI_VERSION = 4 };

/* ------------------------------------------------------------------------------------------------ errors */

/* -1 to -11 are webrtc::RTCErrorType, negated. */
enum rtc_error {
  RTC_OK = 0,
  RTC_ERR_UNSUPPORTED_OPERATION = -1,
  RTC_ERR_UNSUPPORTED_PARAMETER = -2,
  RTC_ERR_INVALID_PARAMETER = -3,
  RTC_ERR_INVALID_RANGE = -4,
  RTC_ERR_SYNTAX_ERROR = -5,
  RTC_ERR_INVALID_STATE = -6,
  RTC_ERR_INVALID_MODIFICATION = -7,
  RTC_ERR_NETWORK_ERROR = -8,
  RTC_ERR_RESOURCE_EXHAUSTED = -9,
  RTC_ERR_INTERNAL_ERROR = -10,
  RTC_ERR_OPERATION_ERROR_WITH_DATA = -11,
  RTC_ERR_INVALID_HANDLE = -100,   /* unknown, freed, or of another type */
  RTC_ERR_INVALID_ARGUMENT = -101, /* NULL, negative size, value out of its documented range */
  RTC_ERR_MESSAGE_TOO_LARGE =
      -102, /* data channel: above the limit of the remote side; the channel stays open */
  RTC_ERR_WOULD_OVERFLOW = -103, /* data channel: too much is buffered; wait for RTC_EV_CHANNEL_BUFFERED */
  RTC_ERR_NO_MEMORY = -104,
  RTC_ERR_EXCEPTION = -105, /* another C++ exception was stopped at this boundary */
  RTC_ERR_OPERATION_FAILED = -106 /* a codec could not do it */
};

/* Copies the text of the last error of the calling thread into `buf` (truncated, NUL-terminated); returns its
 * full length without the NUL. buf may be NULL when len is 0. Only meaningful directly after a negative
 * return. */
int rtc_last_error(char* buf, int len);

/* RTC_SHIM_ABI_VERSION as compiled into the library; compare it with the header's before anything else. */
int rtc_abi_version(void);

/* Static text such as "libwebrtc M109 (tg_owt, Debian)". Do not free. */
const char* rtc_version_string(void);

/* Log to stderr from this level up: 0 verbose, 1 info, 2 warning, 3 error, 4 none (default). */
int rtc_set_log_level(int level);

/* Frees a whole world: closes every connection, frees every factory (its threads are joined), queue, frame
 * and string. Meant for atexit: exiting with open connections may crash otherwise. Handles of before are
 * stale afterwards; new objects may be made again. */
int rtc_shutdown_all(void);

/* Number of live handles, for leak tests. */
int rtc_handle_count(void);

/* ------------------------------------------------------------------------------------------------ strings */

/* Bytes of a string handle, NUL-terminated; the length goes to *len (may be NULL). NULL for a bad handle. */
const char* rtc_string_data(int64_t string, size_t* len);
int rtc_string_free(int64_t string);

/* ------------------------------------------------------------------------------------------------ events */

enum rtc_event_type {
  /* Answers; `request` is set, owner is that of the connection.
   * DONE: data and data2 by call: create_offer/create_answer: data = SDP, data2 = "offer"/"answer";
   * set_local, set_local_implicit, set_remote: data = snapshot JSON (see rtc_pc_snapshot); get_stats: data =
   * JSON array of the RTCStatsReport; add_ice_candidate: nothing. ERROR: i0 = rtc_error (negative), data =
   * message; for SDP that cannot be parsed data = "line: description" and data2 = the offending line. */
  RTC_EV_DONE = 1,
  RTC_EV_ERROR = 2,

  /* Connection; owner is that of the connection. Each state: i0 = value, data = its W3C name. */
  RTC_EV_SIGNALING_STATE = 10,     /* i0 rtc_signaling_state */
  RTC_EV_ICE_GATHERING_STATE = 11, /* i0: 0 new, 1 gathering, 2 complete */
  RTC_EV_ICE_CONNECTION_STATE =
      12, /* standardized; 0 new 1 checking 2 connected 3 completed 4 failed 5 disconnected 6 closed */
  RTC_EV_CONNECTION_STATE = 13, /* 0 new, 1 connecting, 2 connected, 3 disconnected, 4 failed, 5 closed */
  RTC_EV_CANDIDATE = 14, /* i0 m-line index, data candidate line ("candidate:..."), data2 mid, data3 ufrag.
                            Empty data: end of candidates, sent just before gathering is complete */
  RTC_EV_CANDIDATE_ERROR = 15,    /* i0 error code, i1 port, data error text, data2 url, data3 address */
  RTC_EV_NEGOTIATION_NEEDED = 16, /* i0 event id: ask rtc_pc_should_fire_negotiation_needed before firing */
  RTC_EV_DATACHANNEL = 17, /* made by the remote side: object = channel handle, data = label (bytes), data2 =
                              options JSON {id, ordered, maxRetransmits|null, maxPacketLifeTime|null,
                              protocol, negotiated, priority, state}. Its events have owner == its handle
                              until rtc_channel_set_owner; none is lost */
  RTC_EV_TRACK = 18, /* object = transceiver handle, data = JSON of the transceiver (see rtc_pc_snapshot) */
  RTC_EV_TRACK_REMOVED = 19, /* object = transceiver handle: the remote side stopped sending on it */
  RTC_EV_FIRST_PACKET = 20,  /* object = transceiver handle, i0 rtc_kind: first RTP packet received */
  RTC_EV_SELECTED_PAIR = 21, /* data = JSON {reason, local, remote} with candidate objects */
  RTC_EV_DTLS_STATE =
      22, /* i0: 0 new 1 connecting 2 connected 3 closed 4 failed, data name, data2 mids ("\n") */
  RTC_EV_SCTP_STATE = 23, /* i0: 0 new 1 connecting 2 connected 3 closed, data name, i1 max message size or
                             -1, i2 max channels or -1 */
  RTC_EV_DTMF_TONE =
      24, /* object = transceiver handle, data = tone ("" when all are played), data2 = tones left */

  /* Data channel; owner is that of the channel, object = channel handle. */
  RTC_EV_CHANNEL_STATE =
      40, /* i0: 0 connecting, 1 open, 2 closing, 3 closed; data name; i1 id (-1 unknown) */
  RTC_EV_CHANNEL_MESSAGE = 41,  /* flags & RTC_FLAG_BINARY, data = payload (len may be 0) */
  RTC_EV_CHANNEL_BUFFERED = 42, /* i0 bytes buffered now, i1 bytes no longer so since creation. Coalesced:
                                   at most one waits per channel, with the newest values */
  RTC_EV_CHANNEL_ERROR = 43,    /* i0 rtc_error, i1 SCTP cause code or -1, data message; also when the remote
                                   side    closes its whole connection ("User-Initiated Abort") */

  /* Media; owner is that of the sink. */
  RTC_EV_AUDIO_FRAME = 60, /* i0 Hz, i1 channels, i2 samples per channel, i3 RTP timestamp (clock of the
                              codec) or -1, data = s16 interleaved PCM, flags & RTC_FLAG_CONCEALED */
  RTC_EV_VIDEO_FRAME =
      61, /* i0 width, i1 height, i2 timestamp_us (render time, monotonic clock), i3 RTP timestamp
             (90 kHz, 32 bits, wraps), object = frame handle (free it with rtc_frame_free) */

  /* Transforms; owner is that of the transform. */
  RTC_EV_ENCODED_FRAME = 80, /* i0 token, i1 payload type, i2 RTP timestamp, i3 SSRC, data = encoded frame, flags &
                                RTC_FLAG_KEY_FRAME (always for audio): answer it with rtc_transform_done */
};

enum {
  RTC_FLAG_BINARY = 1, /* CHANNEL_MESSAGE: binary, not text */
  RTC_FLAG_CONCEALED =
      2, /* AUDIO_FRAME: no received audio in it (before the first packet, loss, comfort noise) */
  RTC_FLAG_KEY_FRAME = 4, /* ENCODED_FRAME: refers to no other */
};

enum rtc_kind { RTC_KIND_AUDIO = 0, RTC_KIND_VIDEO = 1 };
enum rtc_direction {
  RTC_DIRECTION_SENDRECV = 0,
  RTC_DIRECTION_SENDONLY = 1,
  RTC_DIRECTION_RECVONLY = 2,
  RTC_DIRECTION_INACTIVE = 3,
  RTC_DIRECTION_STOPPED = 4 /* output only */
};
enum rtc_sdp_type { RTC_SDP_OFFER = 0, RTC_SDP_PRANSWER = 1, RTC_SDP_ANSWER = 2, RTC_SDP_ROLLBACK = 3 };
enum rtc_signaling_state {
  RTC_SIGNALING_STABLE = 0,
  RTC_SIGNALING_HAVE_LOCAL_OFFER = 1,
  RTC_SIGNALING_HAVE_LOCAL_PRANSWER = 2,
  RTC_SIGNALING_HAVE_REMOTE_OFFER = 3,
  RTC_SIGNALING_HAVE_REMOTE_PRANSWER = 4,
  RTC_SIGNALING_CLOSED = 5
};

typedef struct rtc_event {
  uint32_t type;   /* rtc_event_type */
  uint32_t flags;  /* RTC_FLAG_* */
  int64_t owner;   /* as chosen by the caller for the object this is about */
  int64_t request; /* of RTC_EV_DONE and RTC_EV_ERROR, else 0 */
  int64_t i0, i1, i2, i3;
  int64_t time_us; /* when it was queued, CLOCK_MONOTONIC (audio: arrival of the 10 ms block) */
  int64_t object;  /* a handle, or 0 */
  const char*
      data;   /* never NULL; NUL-terminated where it is text; valid until the next drain of this queue */
  size_t len; /* without the NUL */
  const char* data2; /* as data */
  size_t len2;
  const char* data3; /* as data */
  size_t len3;
} rtc_event;

/* A queue of events and the eventfd (non-blocking, stays owned by the queue) that is readable while events
 * wait. */
int64_t rtc_queue_new(int* fd_out);

/* Moves up to `max` (>= 1) events to `out`, oldest first, and returns their number; re-arms the eventfd when
 * more wait. Invalidates the data of the previous drain. One thread at a time. Handles of drained frames are
 * the caller's. */
int rtc_queue_drain(int64_t queue, rtc_event* out, int max);

/* Closes the fd (remove it from the event loop first) and drops what waits. Objects which still post to it go
 * on. */
int rtc_queue_free(int64_t queue);

/* ------------------------------------------------------------------------------------------------ factory */

typedef struct rtc_factory_options {
  int media;                /* 1: audio and video; 0: data channels only (cheaper, no audio thread) */
  const char* field_trials; /* "Name/Value/Name2/Value2/" or NULL. Process-wide: must equal that of the live
                               factories */
  int neteq_fixed_delay_ms; /* 0: adaptive jitter buffer; else a fixed target of 1 to 2000 ms (10 is the least
                               delay) */
  int playout_period_ms; /* how often remote audio is pulled: 10 (also for 0), 20, ... 100; blocks stay 10 ms
                          */
} rtc_factory_options;

/* Makes network, worker and signaling threads and the codecs. options may be NULL: media on, nothing else. */
int64_t rtc_factory_new(const rtc_factory_options* options);

/* Closes and frees all that was made from it and joins its threads. */
int rtc_factory_free(int64_t factory);

/* -> string: {"codecs":[{"mimeType","clockRate","channels"?,"sdpFmtpLine"?,"scalabilityModes"?}],
 * "headerExtensions":[{"uri","direction"}]}. kind: rtc_kind. is_sender: 1 sender, 0 receiver. */
int64_t rtc_factory_capabilities(int64_t factory, int kind, int is_sender);

/* ------------------------------------------------------------------------------------------------
 * configuration */

enum rtc_config_key {
  RTC_CONFIG_ICE_TRANSPORT_POLICY = 1, /* 0 all (default), 1 relay, 2 no host, 3 none */
  RTC_CONFIG_BUNDLE_POLICY = 2,        /* 0 balanced (default), 1 max-bundle, 2 max-compat */
  RTC_CONFIG_RTCP_MUX_POLICY = 3,      /* 0 negotiate, 1 require (default) */
  RTC_CONFIG_CANDIDATE_POOL_SIZE = 4,  /* 0 (default) to 255 */
  RTC_CONFIG_PORT_MIN = 5,             /* 0 = any; 1 to 65535 */
  RTC_CONFIG_PORT_MAX = 6,             /* 0 = any; 1 to 65535 */
  RTC_CONFIG_IMPLICIT_ROLLBACK = 7,    /* 1 (default) as in W3C, 0 off */
  RTC_CONFIG_TCP_CANDIDATES = 8,       /* 0 (default) off, 1 on */
  RTC_CONFIG_CONTINUAL_GATHERING = 9,  /* 0 (default) once, 1 continually */
  RTC_CONFIG_IPV6 = 10,                /* 1 (default) on, 0 off */
  RTC_CONFIG_ICE_RECEIVING_TIMEOUT_MS =
      11,                             /* without a packet for so long: disconnected. -1 = default (2500) */
  RTC_CONFIG_ICE_BACKUP_PING_MS = 12, /* ping interval of backup pairs. -1 = default (25000) */
  RTC_CONFIG_ICE_UNWRITABLE_TIMEOUT_MS = 13, /* -1 = default (5000) */
  RTC_CONFIG_ICE_UNWRITABLE_MIN_CHECKS = 14, /* -1 = default (5) */
  RTC_CONFIG_ICE_INACTIVE_TIMEOUT_MS =
      15, /* after it a silent pair is pruned (failed). -1 = default (15000) */
  RTC_CONFIG_ICE_CHECK_MIN_INTERVAL_MS = 16, /* -1 = default */
  RTC_CONFIG_ICE_CHECK_STRONG_MS = 17, /* check interval while connectivity is strong. -1 = default (480) */
  RTC_CONFIG_ICE_CHECK_WEAK_MS = 18,   /* check interval while connectivity is weak. -1 = default (48) */
  RTC_CONFIG_AUDIO_JITTER_MAX_PACKETS = 19,         /* 20 to 10000, default 200 */
  RTC_CONFIG_AUDIO_JITTER_MIN_DELAY_MS = 20,        /* 0 (default) to 10000 */
  RTC_CONFIG_AUDIO_JITTER_FAST_ACCELERATE = 21,     /* 0 (default), 1 */
  RTC_CONFIG_SRTP_GCM = 22,                         /* 0 (default), 1: offer AES-GCM suites as well */
  RTC_CONFIG_SRTP_AES128_SHA1_32 = 23,              /* 0 (default), 1 */
  RTC_CONFIG_SRTP_ENCRYPTED_HEADER_EXTENSIONS = 24, /* 0 (default), 1 */
  RTC_CONFIG_STUN_KEEPALIVE_MS = 25,                /* -1 = default (10000) */
  RTC_CONFIG_CPU_ADAPTATION =
      26, /* 1 (default): lower the video resolution when encoding is too slow; 0 off */
  RTC_CONFIG_STABLE_PING_INTERVAL_MS = 27, /* ping interval of a stable writable pair. -1 = default (2500) */
};

/* A configuration to be filled; it is copied by rtc_pc_new and rtc_pc_set_configuration. */
int64_t rtc_config_new(void);
int rtc_config_free(int64_t config);

/* One server per call: url such as "stun:host:3478" or "turn:host:3478?transport=udp"; username and
 * credential may be NULL. The url is checked when the configuration is used. */
int rtc_config_add_ice_server(int64_t config, const char* url, const char* username, const char* credential);

/* key: rtc_config_key. An unknown key or a value out of range: RTC_ERR_INVALID_ARGUMENT. */
int rtc_config_set_int(int64_t config, int key, int value);

/* Both in PEM, as given by rtc_certificate_generate. RTC_ERR_INVALID_PARAMETER when they cannot be parsed. */
int rtc_config_add_certificate(int64_t config, const char* private_key_pem, const char* certificate_pem);

enum rtc_key_algorithm { RTC_KEY_ECDSA_P256 = 0, RTC_KEY_RSA_2048 = 1 };

/* -> string: {"privateKey": PEM, "certificate": PEM, "expires": ms since the epoch,
 * "fingerprints": [{"algorithm": "sha-256"|"sha-384"|"sha-512", "value": "AB:CD:..."}]}.
 * expires_ms: validity from now in ms, 0 = 30 days. Blocks: ECDSA about 1 ms, RSA about 100 ms. */
int64_t rtc_certificate_generate(int algorithm, int64_t expires_ms);

/* ------------------------------------------------------------------------------------------------ connection
 */

/* config 0 = defaults. owner: the caller's number for events. The factory and the queue must be alive. */
int64_t rtc_pc_new(int64_t factory, int64_t queue, int64_t config, int64_t owner);

/* Closes; detaches every sink. The closed states are queued before it returns and unanswered requests get
 * RTC_EV_ERROR. Idempotent. Afterwards most calls give RTC_ERR_INVALID_STATE. */
int rtc_pc_close(int64_t pc);

/* Closes if need be and frees the connection, its transceivers, sinks and channels. */
int rtc_pc_free(int64_t pc);

/* ice_restart: 1 = new ICE credentials in this offer. */
int rtc_pc_create_offer(int64_t pc, int64_t request, int ice_restart);
int rtc_pc_create_answer(int64_t pc, int64_t request);

/* type: rtc_sdp_type; sdp is ignored (may be NULL) for rollback. A parse error is an RTC_EV_ERROR, too. */
int rtc_pc_set_local(int64_t pc, int type, const char* sdp, int64_t request);
int rtc_pc_set_local_implicit(int64_t pc, int64_t request);
int rtc_pc_set_remote(int64_t pc, int type, const char* sdp, int64_t request);

/* -> string: {"signalingState", "currentLocal": {"type","sdp"}|null, "pendingLocal", "currentRemote",
 * "pendingRemote", "transceivers": [{"id": handle, "mid": text|null, "mlineIndex": number|null, "kind":
 * "audio"|"video", "direction", "currentDirection": text|null, "stopped", "stopping", "receiver":
 * {"id","trackId","streamIds"}, "sender": {"id","trackId": text|null, "streamIds"}}], "sctp": {"mid"}|null}.
 * Transceivers that were stopped and negotiated away are no longer in it. Blocks for a signaling-thread hop.
 */
int64_t rtc_pc_snapshot(int64_t pc);

/* mid may be NULL when mline_index >= 0, and mline_index -1 when there is a mid. candidate "" or NULL: end of
 * candidates. ufrag may be NULL; it is used when the candidate line has none. Without a remote description:
 * RTC_EV_ERROR with RTC_ERR_INVALID_STATE; queue it and try again after set_remote. */
int rtc_pc_add_ice_candidate(int64_t pc, const char* mid, int mline_index, const char* candidate,
                             const char* ufrag, int64_t request);

int rtc_pc_restart_ice(int64_t pc);

/* RTC_ERR_INVALID_MODIFICATION for what cannot change (bundle policy, certificates, ...). */
int rtc_pc_set_configuration(int64_t pc, int64_t config);

/* Bits per second for the whole connection; <= 0 leaves that value unset. Give a start value, or 720p stays
 * scaled down for seconds. min <= start <= max. */
int rtc_pc_set_bitrate(int64_t pc, int min_bps, int start_bps, int max_bps);

enum rtc_stats_selector { RTC_STATS_ALL = 0, RTC_STATS_SENDER = 1, RTC_STATS_RECEIVER = 2 };

/* selector: rtc_stats_selector; transceiver is used for SENDER and RECEIVER only. Never cached. */
int rtc_pc_get_stats(int64_t pc, int64_t request, int selector, int64_t transceiver);

/* 1 when the negotiation-needed event with that id is still due, 0 when not. Ask when the event is about to
 * fire. */
int rtc_pc_should_fire_negotiation_needed(int64_t pc, int64_t event_id);

/* -> string: {"transports": [{"mid", "transport": first mid of that transport, "dtlsState", "iceState",
 * "iceRole": "controlling"|"controlled"|"unknown", "gatheringState", "remoteCertificates": [base64 of DER],
 * "remoteFingerprint": {"algorithm","value"}|null, "srtpCipher": name|null, "dtlsCipher": number|null,
 * "tlsVersion": number|null, "selectedPair": {"local": {...}, "remote": {...}}|null}], "sctp": {"mid",
 * "state", "maxMessageSize": number|null, "maxChannels": number|null}|null}. Bundled mids repeat the same
 * transport. A candidate object: {"candidate", "address", "port", "protocol", "type", "priority",
 * "foundation", "component", "relatedAddress"?, "relatedPort"?, "ufrag", "tcpType"?}. Blocks for two hops. */
int64_t rtc_pc_transports(int64_t pc);

/* ------------------------------------------------------------------------------------------------ sources */

/* Sources belong to a factory with media and can feed any number of senders of its connections. */
int64_t rtc_audio_source_new(int64_t factory);

/* s16 interleaved; `samples` per channel, >= 0, any number: 10 ms blocks are cut inside and the rest is kept
 * for the next push. rate 8000 to 192000 Hz, a multiple of 25; channels 1, 2, 4, 6 or 8. Another rate or
 * channel count than before drops the rest. Encodes on the calling thread's time only in part (0.03 ms per
 * block). */
int rtc_audio_source_push(int64_t source, const int16_t* pcm, int rate, int channels, int samples);

/* is_screencast: 1 keeps resolution rather than frame rate. adaptation: 1 lets the encoder's wishes (CPU,
 * bandwidth, max-framerate) scale down or drop frames before they are sent, 0 sends each frame as it is. */
int64_t rtc_video_source_new(int64_t factory, int is_screencast, int adaptation);
int rtc_video_source_set_adaptation(int64_t source, int adaptation);

/* Planes are copied once. width, height 1 to 16384; a stride is >= the bytes of its row; chroma is (w+1)/2 x
 * (h+1)/2. timestamp_us: CLOCK_MONOTONIC, increasing; <= 0 = now. rotation 0, 90, 180, 270. Returns 1 when
 * the frame was dropped by adaptation, else 0. */
int rtc_video_source_push_i420(int64_t source, const uint8_t* y, int stride_y, const uint8_t* u, int stride_u,
                               const uint8_t* v, int stride_v, int width, int height, int64_t timestamp_us,
                               int rotation);
int rtc_video_source_push_nv12(int64_t source, const uint8_t* y, int stride_y, const uint8_t* uv,
                               int stride_uv, int width, int height, int64_t timestamp_us, int rotation);

/* Frames or samples pushed, and video frames which adaptation dropped. Either pointer may be NULL. */
int rtc_source_counts(int64_t source, int64_t* pushed, int64_t* dropped);

/* Senders that still use it go on with nothing new. */
int rtc_source_free(int64_t source);

/* ------------------------------------------------------------------------------------------------
 * transceivers */

typedef struct rtc_encoding {
  const char* rid;                 /* NULL or "" = none; only used by rtc_pc_add_transceiver */
  const char* scalability_mode;    /* e.g. "L1T3"; NULL = unset */
  int active;                      /* 1 or 0 */
  int max_bitrate_bps;             /* <= 0 = unset */
  int min_bitrate_bps;             /* <= 0 = unset */
  double max_framerate;            /* < 0 = unset */
  double scale_resolution_down_by; /* 1.0 to 1000; < 1.0 = unset */
  double bitrate_priority;         /* relative share, <= 0 = 1.0 */
  int network_priority;            /* 0 very-low, 1 low, 2 medium, 3 high; -1 = low */
} rtc_encoding;

/* source 0 = no track yet. track_id NULL = random. stream_ids: joined with "\n", NULL or "" = none. encodings
 * may be NULL when count is 0. Returns the transceiver handle. */
int64_t rtc_pc_add_transceiver(int64_t pc, int kind, int direction, int64_t source, const char* track_id,
                               const char* stream_ids, const rtc_encoding* encodings, int encodings_count);

/* As addTrack: reuses a fitting transceiver. Returns the transceiver handle. RTC_ERR_INVALID_PARAMETER when a
 * sender with this track id exists already. */
int64_t rtc_pc_add_track(int64_t pc, int64_t source, const char* track_id, const char* stream_ids);

/* As removeTrack, for the sender of that transceiver. */
int rtc_pc_remove_track(int64_t pc, int64_t transceiver);

int rtc_transceiver_set_direction(int64_t transceiver, int direction);

/* As stop(): takes effect with the next negotiation. */
int rtc_transceiver_stop(int64_t transceiver);

/* One codec per line: "audio/opus/48000/2", "video/VP8", optionally a blank and the fmtp parameters
 * ("video/H264/90000 packetization-mode=1;profile-level-id=42e01f"). Without parameters every variant of that
 * name is taken; with them only the equal one (in any order). NULL or "" restores the default. Unknown codec:
 * RTC_ERR_INVALID_MODIFICATION. */
int rtc_transceiver_set_codec_preferences(int64_t transceiver, const char* lines);

/* As replaceTrack: source 0 = none. track_id NULL = random. The kinds must agree. Does not renegotiate. */
int rtc_sender_replace_track(int64_t transceiver, int64_t source, const char* track_id);

/* Mutes (0: black, silence) or unmutes (1) what the sender sends. RTC_ERR_INVALID_STATE without a track. */
int rtc_sender_set_track_enabled(int64_t transceiver, int enabled);

/* stream_ids joined with "\n"; takes effect with the next negotiation. */
int rtc_sender_set_streams(int64_t transceiver, const char* stream_ids);

/* -> string: {"transactionId", "mid", "encodings": [{"ssrc"?, "rid"?, "active", "maxBitrate"?, "minBitrate"?,
 * "maxFramerate"?, "scaleResolutionDownBy"?, "scalabilityMode"?, "priority", "networkPriority"}], "codecs":
 * [{"payloadType", "mimeType", "clockRate", "channels"?, "sdpFmtpLine"?}], "headerExtensions":
 * [{"uri","id","encrypted"}], "rtcp": {"cname","reducedSize","ssrc"?}, "degradationPreference"?}. */
int64_t rtc_sender_get_parameters(int64_t transceiver);
int64_t rtc_receiver_get_parameters(int64_t transceiver); /* same form; transactionId is "" */

enum rtc_degradation {
  RTC_DEGRADATION_UNSET = -1,
  RTC_DEGRADATION_DISABLED = 0,
  RTC_DEGRADATION_MAINTAIN_FRAMERATE = 1,
  RTC_DEGRADATION_MAINTAIN_RESOLUTION = 2,
  RTC_DEGRADATION_BALANCED = 3
};

/* transaction_id must be that of the last rtc_sender_get_parameters and can be used once: otherwise
 * RTC_ERR_INVALID_MODIFICATION. The encodings replace the old ones by position; the count cannot change. */
int rtc_sender_set_parameters(int64_t transceiver, const char* transaction_id, const rtc_encoding* encodings,
                              int encodings_count, int degradation);

/* Least jitter buffer delay in seconds, 0 to 10; < 0 = automatic. */
int rtc_receiver_set_jitter_minimum(int64_t transceiver, double seconds);

/* -> string: [{"type": "ssrc"|"csrc", "source", "timestampMs", "rtpTimestamp", "audioLevel"? (0 to 1)}]. */
int64_t rtc_receiver_get_sources(int64_t transceiver);

/* Asks the remote sender of a video transceiver for a key frame. */
int rtc_receiver_request_key_frame(int64_t transceiver);

/* tones: 0-9 A-D a-d # * and ','; "" cancels. duration 40 to 6000 ms, gap >= 30 ms, comma delay >= 30 ms.
 * Events: RTC_EV_DTMF_TONE with the owner of the connection. */
int rtc_dtmf_insert(int64_t transceiver, const char* tones, int duration_ms, int gap_ms, int comma_delay_ms);
int rtc_dtmf_can_insert(int64_t transceiver); /* 1 or 0 */
int64_t rtc_dtmf_tones(int64_t transceiver);  /* -> string: tones still to be played */

/* ------------------------------------------------------------------------------------------------ sinks and
 * frames */

enum rtc_sink_policy {
  RTC_SINK_DROP_OLDEST = 0, /* keep the newest max_queue frames */
  RTC_SINK_LATEST = 1       /* keep one frame; max_queue is ignored */
};

/* Delivers what the receiver of that transceiver gets as AUDIO_FRAME or VIDEO_FRAME events with `owner`.
 * max_queue: 1 to 1000 waiting frames (keep it below 30 for video: decoders have few buffers). Several sinks
 * per receiver are allowed. Returns the sink handle. */
int64_t rtc_receiver_attach_sink(int64_t transceiver, int64_t queue, int64_t owner, int max_queue,
                                 int policy);

/* Detaches and frees the sink: no event of it is drained afterwards. */
int rtc_sink_detach(int64_t sink);

/* Frames delivered to the sink so far and frames it dropped because nobody drained. Either pointer may be
 * NULL. */
int rtc_sink_counts(int64_t sink, int64_t* received, int64_t* dropped);

typedef struct rtc_frame_info {
  int width, height;
  int rotation; /* 0: pictures are turned upright before they are delivered */
  const uint8_t *y, *u, *v;
  int stride_y, stride_u, stride_v;
  int64_t timestamp_us;
  int64_t rtp_timestamp;
  int64_t ntp_time_ms; /* capture time of the sender when known, else <= 0 */
  int matrix;          /* of the samples, as in ITU-T H.273; 2 if the bitstream does not say */
  int range;           /* 1: limited, 2: full, 0: the bitstream does not say */
} rtc_frame_info;

/* I420 planes, read-only, valid until rtc_frame_free. */
int rtc_frame_get(int64_t frame, rtc_frame_info* out);

/* Copies the planes without padding to dst: w*h + 2 * ((w+1)/2) * ((h+1)/2) bytes; `size` is checked. */
int rtc_frame_copy_i420(int64_t frame, uint8_t* dst, size_t size);

/* Copies the planes to planes of the caller, which may be padded: a stride is >= the bytes of its row, and
 * each plane has stride * height bytes (chroma: (height+1)/2). */
int rtc_frame_copy_planes(int64_t frame, uint8_t* y, int stride_y, uint8_t* u, int stride_u, uint8_t* v,
                          int stride_v);
int rtc_frame_free(int64_t frame);

/* ------------------------------------------------------------------------------------------------ data
 * channels */

enum rtc_priority {
  RTC_PRIORITY_VERY_LOW = 0,
  RTC_PRIORITY_LOW = 1,
  RTC_PRIORITY_MEDIUM = 2,
  RTC_PRIORITY_HIGH = 3
};

typedef struct rtc_channel_options {
  int ordered;              /* 1 or 0 */
  int max_retransmits;      /* -1 = unset; not together with max_packet_life_time */
  int max_packet_life_time; /* ms, -1 = unset */
  int negotiated;           /* 1: both sides make it with the same id */
  int id;                   /* 0 to 1023 when negotiated; else it is ignored, as in W3C */
  int priority;             /* rtc_priority */
  const char* protocol;     /* NULL = "" */
  size_t protocol_len;
} rtc_channel_options;

/* label is bytes + length (at most 65535). options NULL = ordered and reliable. Returns the channel handle.
 */
int64_t rtc_pc_create_channel(int64_t pc, const char* label, size_t label_len,
                              const rtc_channel_options* options, int64_t owner);

/* From now on its events carry `owner`; those already queued keep the old one. */
int rtc_channel_set_owner(int64_t channel, int64_t owner);

/* Queues one message; never waits for the signaling thread. data may be NULL when len is 0.
 * RTC_ERR_INVALID_STATE unless open; RTC_ERR_MESSAGE_TOO_LARGE above rtc_channel_max_message_size;
 * RTC_ERR_WOULD_OVERFLOW when more than 16 MiB would be buffered. The channel stays open after each of these.
 */
int rtc_channel_send(int64_t channel, const void* data, size_t len, int binary);

int rtc_channel_id(int64_t channel);                   /* 0 to 65534, or -1 while not assigned */
int rtc_channel_state(int64_t channel);                /* as in RTC_EV_CHANNEL_STATE */
int64_t rtc_channel_buffered(int64_t channel);         /* bytes accepted and not yet sent by SCTP */
int64_t rtc_channel_max_message_size(int64_t channel); /* of the remote side; 262144 while unknown */

/* Starts closing once what was sent before has been delivered; RTC_EV_CHANNEL_STATE follows. Not for a
 * channel which is connecting and has no id yet: libwebrtc aborts when it gets one. */
int rtc_channel_close(int64_t channel);

/* Frees the handle, without closing: no event of it is queued afterwards. */
int rtc_channel_free(int64_t channel);

/* ------------------------------------------------------------------------------------------------ pictures */

/* libyuv's names, which tell the bytes of a 32-bit word from the highest to the lowest: in memory ARGB is B, G, R,
 * A. Not so for the 24-bit ones: RGB24 is B, G, R and RAW is R, G, B. */
enum rtc_pixel_format {
  RTC_I420 = 0,
  RTC_I422 = 1,
  RTC_I444 = 2,
  RTC_NV12 = 3,
  RTC_I010 = 4, /* as I420, 10 bits in the lower end of 16 */
  RTC_ARGB = 5, /* B, G, R, A */
  RTC_ABGR = 6, /* R, G, B, A */
  RTC_BGRA = 7, /* A, R, G, B */
  RTC_RGBA = 8, /* A, B, G, R */
  RTC_RGB24 = 9,
  RTC_RAW = 10
};

enum rtc_matrix { RTC_BT601 = 0, RTC_BT709 = 1, RTC_BT2020 = 2 };

/* Chroma of an odd width or height is rounded up. width, height 1 to 16384; a stride is >= the bytes of its row;
 * sizes are the bytes from the start of each plane: stride * (rows - 1) + the bytes of a row will do. */
typedef struct rtc_picture {
  int format;
  int width;
  int height;
  uint8_t* planes[3];
  int strides[3];
  size_t sizes[3];
} rtc_picture;

/* Converts, scales (box filter down, bilinear up), turns clockwise by 0, 90, 180 or 270, then exchanges left and
 * right, in this order. The size of dst is that after turning. matrix (rtc_matrix) and full_range belong to
 * whichever side is YUV; between two YUV formats both stay. Alpha that is made is 255. src is not written; the two may
 * not overlap. Any thread; nothing is kept. */
int rtc_convert(const rtc_picture* src, const rtc_picture* dst, int matrix, int full_range, int rotation,
                int mirror);

/* ------------------------------------------------------------------------------------------------ resampling */

enum rtc_pcm_format { RTC_PCM_S16 = 0, RTC_PCM_FLOAT = 1 };
enum { RTC_PCM_CHANNELS = 8, RTC_PCM_SAMPLES = 16777216 };

/* Samples of all channels, in one plane one after the other, or in a plane each. Floats are -1 to 1. */
typedef struct rtc_pcm {
  int format; /* rtc_pcm_format */
  int planar;
  int samples; /* per channel, 0 to RTC_PCM_SAMPLES */
  void* data[8];
  size_t sizes[8]; /* bytes */
} rtc_pcm;

/* A stream of sound. Rates 1000 to 768000 Hz, channels 1 to 8. One thread at a time. The output begins with the
 * input, without a shift: sample n belongs to the time n / out_rate. */
int64_t rtc_resampler_new(int in_rate, int out_rate, int channels);

/* B, the input samples that are taken at a time. When n came in, floor((floor(n / B) * B - 16) * out_rate / in_rate)
 * are out, and ceil(n * out_rate / in_rate) after the flush, however the input was cut. */
int rtc_resampler_block(int64_t resampler);

/* How many samples the next rtc_resampler_run will give, for so many more of the input. */
int64_t rtc_resampler_ready(int64_t resampler, int samples, int flush);

/* Takes in->samples and writes what is ready; out->samples is the room. Returns the samples written. flush 1 ends the
 * stream: silence follows it, and another call gives RTC_ERR_INVALID_ARGUMENT. s16 is rounded and clipped. */
int rtc_resampler_run(int64_t resampler, const rtc_pcm* in, const rtc_pcm* out, int flush);

int rtc_resampler_free(int64_t resampler);

/* ------------------------------------------------------------------------------------------------ video codecs */

enum rtc_video_codec { RTC_VP8 = 0, RTC_VP9 = 1, RTC_H264 = 2 };
enum { RTC_SPEED_DEFAULT = -1 };

typedef struct rtc_encoder_options {
  int codec;           /* rtc_video_codec */
  int width;           /* of the pictures to begin with, 1 to 16384 */
  int height;          /* likewise */
  int bitrate;         /* bits per second, from 1000 on */
  double framerate;    /* above 0, at most 1000 */
  int temporal_layers; /* 1 to 3 */
  int cores;           /* what libwebrtc is told; it chooses its threads by this and the size. 1 to 256 */
  int speed; /* VP8: complexity, 0 (normal, fastest) to 3 (most); VP9: libvpx' cpu-used, 0 to 9; H264: not used. Or
                RTC_SPEED_DEFAULT */
  int screen; /* 1: a desktop or slides */
} rtc_encoder_options;

typedef struct rtc_encoded {
  const uint8_t* data; /* valid until the next call with this encoder */
  size_t size;
  int key_frame;
  int temporal_layer;
  int width, height;
} rtc_encoded;

/* A synchronous software encoder; no thread outlives its calls but those that the codec's library keeps. Frames are
 * never dropped for the sake of the rate. RTC_ERR_UNSUPPORTED_PARAMETER: the codec cannot have this size. */
int64_t rtc_encoder_new(const rtc_encoder_options* options);

/* Aims at this from the next picture on; ranges as in rtc_encoder_options. */
int rtc_encoder_set_rates(int64_t encoder, int bitrate, double framerate);

/* Encodes a picture, RTC_I420 or RTC_NV12, which is only read. One of another size than before begins with a key
 * frame; after an error the next one is a key frame. Returns 1 with *out set, or 0 if the encoder gave nothing;
 * RTC_ERR_UNSUPPORTED_PARAMETER: the codec cannot have this size. */
int rtc_encoder_encode(int64_t encoder, const rtc_picture* picture, int key_frame, rtc_encoded* out);

/* -> string: what encodes, e.g. "libvpx". */
int64_t rtc_encoder_name(int64_t encoder);
int rtc_encoder_free(int64_t encoder);

typedef struct rtc_decoded {
  int format; /* RTC_I420, RTC_I422, RTC_I444 or RTC_I010 */
  int width, height;
  int range;  /* of the bitstream: 0 unknown, 1 limited, 2 full */
  int matrix; /* of the bitstream, as ITU-T H.273 numbers them; 2 unknown */
} rtc_decoded;

/* A synchronous software decoder. cores: the most threads, 1 to 256. */
int64_t rtc_decoder_new(int codec, int cores);

/* Decodes one picture; any bytes will do. Returns 1 with *out set, 0 if there is none to show, or
 * RTC_ERR_OPERATION_FAILED: the bitstream is damaged. The decoder can go on with a key frame. */
int rtc_decoder_decode(int64_t decoder, const uint8_t* data, size_t size, int key_frame, rtc_decoded* out);

/* Copies the picture that was decoded last, once, to planes of the same format and size. */
int rtc_decoder_take(int64_t decoder, const rtc_picture* dst);

/* -> string: what decodes, e.g. "FFmpeg". */
int64_t rtc_decoder_name(int64_t decoder);
int rtc_decoder_free(int64_t decoder);

/* ------------------------------------------------------------------------------------------------ transforms */

/* Lets the encoded frames of a sender (of_sender 1: before they are packetised) or a receiver (0: before they are
 * decoded) go through the application, as RTC_EV_ENCODED_FRAME events with `owner`. One for the life of a sender or
 * receiver: libwebrtc cannot exchange it while media flows. At most 100 frames wait, then the oldest are dropped; so
 * are those that wait when the connection is closed or freed. The handle lives as long as the connection. */
int64_t rtc_transform_new(int64_t transceiver, int of_sender, int64_t queue, int64_t owner);

/* 0: frames pass as they are, once those that wait are answered; 1 (from the start): they go through the
 * application. */
int rtc_transform_set_active(int64_t transform, int active);

/* Lets the frame of that token go on with these bytes, which are copied; NULL or none drop it. Answers come in order: frames
 * before it that were not answered are dropped. Returns 1, or 0 if the frame waits no more. */
int rtc_transform_done(int64_t transform, int64_t token, const void* data, size_t len);

/* Frames that went on after an answer, and frames dropped. Either pointer may be NULL. */
int rtc_transform_counts(int64_t transform, int64_t* passed, int64_t* dropped);

/* ------------------------------------------------------------------------------------------------ processing */

enum rtc_noise { RTC_NOISE_OFF = 0, RTC_NOISE_LOW, RTC_NOISE_MODERATE, RTC_NOISE_HIGH, RTC_NOISE_VERY_HIGH };

typedef struct rtc_processor_options {
  int rate;     /* 8000, 16000, 32000 or 48000 Hz */
  int channels; /* 1 or 2, of both ends */
  int echo_cancellation;
  int noise_suppression; /* rtc_noise */
  int gain_control;
  int high_pass;
} rtc_processor_options;

/* Each is NaN where it is not known. */
typedef struct rtc_processor_stats {
  double echo_return_loss;             /* dB */
  double echo_return_loss_enhancement; /* dB */
  double delay_ms;                     /* of the echo, as the canceller found it */
} rtc_processor_stats;

/* libwebrtc's audio processing. Starts no thread; calls from several threads wait for each other. */
int64_t rtc_processor_new(const rtc_processor_options* options);

/* Processes interleaved sound in place: what was recorded, or with reverse 1 what is about to be played.
 * samples: per channel, a multiple of rate / 100; size: bytes at data. */
int rtc_processor_run(int64_t processor, int16_t* data, size_t size, int samples, int reverse);

/* How long after a block of the reverse stream its echo is processed: 0 to 500. A hint; the canceller searches. */
int rtc_processor_set_delay(int64_t processor, int milliseconds);

int rtc_processor_get_stats(int64_t processor, rtc_processor_stats* stats);

int rtc_processor_free(int64_t processor);

#pragma GCC visibility pop

#endif /* BACKENDS_LEGACY_LIBWEBRTC_RTC_SHIM_H_ */
