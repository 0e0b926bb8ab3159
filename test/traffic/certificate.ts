/**
 * Two self-signed certificates of this project's own, made once with openssl and kept as DER in base64, so that traffic
 * is the same on every machine: RSA 2048 (CN=traffic.example) and ECDSA P-256 (CN=ec.traffic.example).
 */

function decode(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

export const RSA_CERTIFICATE = decode(
  'MIIDkDCCAnigAwIBAgIUKP6ipn88+L+EkDqTqfaeEG5RA10wDQYJKoZIhvcNAQELBQAwPjELMAkGA1UEBhMCTloxFTATBgNVBAoMDElyaXMg' +
    'VHJhZmZpYzEYMBYGA1UEAwwPdHJhZmZpYy5leGFtcGxlMCAXDTI2MTEyMzE2MDYwOVoYDzIxMjYxMDMwMTYwNjA5WjA+MQswCQYDVQQGEwJO' +
    'WjEVMBMGA1UECgwMSXJpcyBUcmFmZmljMRgwFgYDVQQDDA90cmFmZmljLmV4YW1wbGUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIB' +
    'AQCN6OwjOjJJuUZ3sOEUMWlsIoA+rfAMlQCgMQCi6tzfyFYav8JCJjpLjfwfJxhX7SZv66BXp/v2nCWYZQoi4DUzfBx8z/WhxSJFqsE+4LK7' +
    '8v+xBuZiZbOWiXJpcfHOy60iPNUzzM9utRRGeL05yz+lbkCenY3IcI1Qc3CMQP4N82iMBX43z6v/iHmke8kZQfKbHThYpwUToWWQJUvpxJs7' +
    '8AJuH7EE+lxlpO8wWiRsg3du9zSK9RRDQSpq67mM/O93bY7rTgw0ovyH6L356FtaGqlJpUMa1IU882roMvVKFENSfAKtTyg10wga/LKMsFPw' +
    'AKPKQxnHkULxDh+bDltpAgMBAAGjgYMwgYAwHQYDVR0OBBYEFMlOAABtsOo0yobvxehqcPweizB8MB8GA1UdIwQYMBaAFMlOAABtsOo0yobv' +
    'xehqcPweizB8MA8GA1UdEwEB/wQFMAMBAf8wLQYDVR0RBCYwJIIPdHJhZmZpYy5leGFtcGxlghEqLnRyYWZmaWMuZXhhbXBsZTANBgkqhkiG' +
    '9w0BAQsFAAOCAQEAL8UsT5R281iNkwT/ShGZ1Z9X54gQSzYKmoUJmpFX81Hb3d6DSymfEqPS59oNMGGoR4TXVIPm9HxyCLVNq3BamYry+yg9' +
    'oxlblTA+7iEMWAF15bvwh7BmkX8s7q4Cf4spyi01QUaBq9/Wl4/qyYp8bgIFOj57w41V+7xnKH2RusJ73v36IMzCBtinAr31NJnrbkLAaRNo' +
    'JDXwcfbrIv4gNR728Z08W7SCSDHm33oe/qelbtGooNl2LhUmV6PFIqqb+ntkipw6fHsfhH5K15/wAesa8mEVN3ht/FRpWWwx35whq3XrQ3yw' +
    'RmeTh0DzMVuZbuXciSY+5GlqO/adkPVTuw==',
);

export const EC_CERTIFICATE = decode(
  'MIIB2TCCAX+gAwIBAgIUbmTnwqB26shP6joAmXHoI3Sl61swCgYIKoZIzj0EAwIwQTELMAkGA1UEBhMCTloxFTATBgNVBAoMDElyaXMgVHJh' +
    'ZmZpYzEbMBkGA1UEAwwSZWMudHJhZmZpYy5leGFtcGxlMCAXDTI2MTEyMzE2MDYwOVoYDzIxMjYxMDMwMTYwNjA5WjBBMQswCQYDVQQGEwJO' +
    'WjEVMBMGA1UECgwMSXJpcyBUcmFmZmljMRswGQYDVQQDDBJlYy50cmFmZmljLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATJ' +
    'HXs/ghPw0rZOLGTxlz/stuCpRU9xlXFk3fDpT6/oFCFGS+jc0oXwai/lAR/evgYneyTlCtmGXIXvf2bz2fQxo1MwUTAdBgNVHQ4EFgQUqirh' +
    'MtLyfaO0cqFRcBxM5iVsZm4wHwYDVR0jBBgwFoAUqirhMtLyfaO0cqFRcBxM5iVsZm4wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNI' +
    'ADBFAiAQ686xEh+EQfK5hx/ptfDGdXCTz/OiV7FM1iR7XNiuTQIhANd+T2XiLSkyIFtfyyCRSmF/Cvc+tFxpq5LQG2HbVZif',
);
