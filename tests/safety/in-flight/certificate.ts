/**
 * A certificate for "localhost" that signs itself, and its key, for the tests' own TLS servers alone. It is valid until 2126:
 *
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost \
 *       -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE"
 *
 * @module
 */

export const cert = `-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUUk3WmMYClPHcFIe1WmmsX8f5LL8wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzIwNDMxM1oYDzIxMjYxMTAz
MjA0MzEzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQeePQztiSm7eTRWWG5UQ4soMqe6SzNkG9eYe5PTPDvmy0D89l+Xfbd
fhyF/jOBPvyQPXcCvO17NxkhfwiaZbQ/o2wwajAdBgNVHQ4EFgQUXwSBRCDMFx3L
AM3E9MCZOE2NGWwwHwYDVR0jBBgwFoAUXwSBRCDMFx3LAM3E9MCZOE2NGWwwGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0E
AwIDSAAwRQIhAJJWYUNm6NPQCz2QrzR95cagxevlywbPInoHRZTtJpS+AiAscK55
26LlSU+zBMSbm02Yl5q9hNwuFQpTHiu41B8hGQ==
-----END CERTIFICATE-----
`;

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbnH0vS4YAfgI8bZv
J5ULAePFPWrsiDTI+RVP5XlOCIihRANCAAQeePQztiSm7eTRWWG5UQ4soMqe6SzN
kG9eYe5PTPDvmy0D89l+XfbdfhyF/jOBPvyQPXcCvO17NxkhfwiaZbQ/
-----END PRIVATE KEY-----
`;
