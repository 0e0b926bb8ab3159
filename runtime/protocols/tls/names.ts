/** Names that TLS's numbers have in filters and in JSON, from IANA's registries "TLS Parameters" and "TLS Extensions". */

/** Reads lines of a hexadecimal number and a name. */
export function table(lines: string): Readonly<Record<string, number>> {
  const names: Record<string, number> = {};
  for (const line of lines.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) names[line.slice(space + 1)] = Number.parseInt(line.slice(0, space), 16);
  }
  return names;
}

/** Protocol versions; those of DTLS count down. Drafts of TLS 1.3 are told by their servers until they had to look like TLS 1.2. */
export const VERSIONS = table(`
0002 SSLv2
0300 SSLv3
0301 TLSv1.0
0302 TLSv1.1
0303 TLSv1.2
0304 TLSv1.3
7f0e TLSv1.3-draft14
7f0f TLSv1.3-draft15
7f10 TLSv1.3-draft16
7f11 TLSv1.3-draft17
7f12 TLSv1.3-draft18
7f13 TLSv1.3-draft19
7f14 TLSv1.3-draft20
7f15 TLSv1.3-draft21
7f16 TLSv1.3-draft22
7f17 TLSv1.3-draft23
7f18 TLSv1.3-draft24
7f19 TLSv1.3-draft25
7f1a TLSv1.3-draft26
7f1b TLSv1.3-draft27
7f1c TLSv1.3-draft28
0100 DTLSv1.0-openssl
feff DTLSv1.0
fefd DTLSv1.2
fefc DTLSv1.3
`);

/** RFC 3749 section 2. */
export const COMPRESSION_METHODS = table(`
0000 null
0001 DEFLATE
0040 LZS
`);

/** RFC 8422 section 5.1.2. */
export const EC_POINT_FORMATS = table(`
0000 uncompressed
0001 ansiX962_compressed_prime
0002 ansiX962_compressed_char2
`);

/** Named groups: "TLS Supported Groups", and the hybrid drafts that browsers used before ML-KEM. */
export const GROUPS = table(`
0001 sect163k1
0002 sect163r1
0003 sect163r2
0004 sect193r1
0005 sect193r2
0006 sect233k1
0007 sect233r1
0008 sect239k1
0009 sect283k1
000a sect283r1
000b sect409k1
000c sect409r1
000d sect571k1
000e sect571r1
000f secp160k1
0010 secp160r1
0011 secp160r2
0012 secp192k1
0013 secp192r1
0014 secp224k1
0015 secp224r1
0016 secp256k1
0017 secp256r1
0018 secp384r1
0019 secp521r1
001a brainpoolP256r1
001b brainpoolP384r1
001c brainpoolP512r1
001d x25519
001e x448
001f brainpoolP256r1tls13
0020 brainpoolP384r1tls13
0021 brainpoolP512r1tls13
0022 GC256A
0023 GC256B
0024 GC256C
0025 GC256D
0026 GC512A
0027 GC512B
0028 GC512C
0029 curveSM2
0100 ffdhe2048
0101 ffdhe3072
0102 ffdhe4096
0103 ffdhe6144
0104 ffdhe8192
0200 MLKEM512
0201 MLKEM768
0202 MLKEM1024
11eb SecP256r1MLKEM768
11ec X25519MLKEM768
11ed SecP384r1MLKEM1024
4138 CECPQ2
6399 X25519Kyber768Draft00
639a SecP256r1Kyber768Draft00
ff01 arbitrary_explicit_prime_curves
ff02 arbitrary_explicit_char2_curves
`);

/** "TLS SignatureScheme", and the pairs of TLS 1.2 (RFC 5246 section 7.4.1.4.1) in the same manner. */
export const SIGNATURE_SCHEMES = table(`
0101 rsa_pkcs1_md5
0102 dsa_md5
0103 ecdsa_md5
0201 rsa_pkcs1_sha1
0202 dsa_sha1
0203 ecdsa_sha1
0301 rsa_pkcs1_sha224
0302 dsa_sha224
0303 ecdsa_sha224
0401 rsa_pkcs1_sha256
0402 dsa_sha256
0403 ecdsa_secp256r1_sha256
0420 rsa_pkcs1_sha256_legacy
0501 rsa_pkcs1_sha384
0502 dsa_sha384
0503 ecdsa_secp384r1_sha384
0520 rsa_pkcs1_sha384_legacy
0601 rsa_pkcs1_sha512
0602 dsa_sha512
0603 ecdsa_secp521r1_sha512
0620 rsa_pkcs1_sha512_legacy
0704 eccsi_sha256
0705 iso_ibs1
0706 iso_ibs2
0707 iso_chinese_ibs
0708 sm2sig_sm3
0709 gostr34102012_256a
070a gostr34102012_256b
070b gostr34102012_256c
070c gostr34102012_256d
070d gostr34102012_512a
070e gostr34102012_512b
070f gostr34102012_512c
0804 rsa_pss_rsae_sha256
0805 rsa_pss_rsae_sha384
0806 rsa_pss_rsae_sha512
0807 ed25519
0808 ed448
0809 rsa_pss_pss_sha256
080a rsa_pss_pss_sha384
080b rsa_pss_pss_sha512
081a ecdsa_brainpoolP256r1tls13_sha256
081b ecdsa_brainpoolP384r1tls13_sha384
081c ecdsa_brainpoolP512r1tls13_sha512
0904 mldsa44
0905 mldsa65
0906 mldsa87
`);

/** "TLS ExtensionType Values", and a few that were never registered but are seen. */
export const EXTENSIONS = table(`
0000 server_name
0001 max_fragment_length
0002 client_certificate_url
0003 trusted_ca_keys
0004 truncated_hmac
0005 status_request
0006 user_mapping
0007 client_authz
0008 server_authz
0009 cert_type
000a supported_groups
000b ec_point_formats
000c srp
000d signature_algorithms
000e use_srtp
000f heartbeat
0010 application_layer_protocol_negotiation
0011 status_request_v2
0012 signed_certificate_timestamp
0013 client_certificate_type
0014 server_certificate_type
0015 padding
0016 encrypt_then_mac
0017 extended_master_secret
0018 token_binding
0019 cached_info
001a tls_lts
001b compress_certificate
001c record_size_limit
001d pwd_protect
001e pwd_clear
001f password_salt
0020 ticket_pinning
0021 tls_cert_with_extern_psk
0022 delegated_credentials
0023 session_ticket
0024 TLMSP
0025 TLMSP_proxying
0026 TLMSP_delegate
0027 supported_ekt_ciphers
0029 pre_shared_key
002a early_data
002b supported_versions
002c cookie
002d psk_key_exchange_modes
002f certificate_authorities
0030 oid_filters
0031 post_handshake_auth
0032 signature_algorithms_cert
0033 key_share
0034 transparency_info
0036 connection_id
0037 external_id_hash
0038 external_session_id
0039 quic_transport_parameters
003a ticket_request
003b dnssec_chain
003c sequence_number_encryption_algorithms
003d rrc
3374 next_protocol_negotiation
4469 application_settings
44cd application_settings_new
754f channel_id_old
7550 channel_id
fd00 ech_outer_extensions
fe0d encrypted_client_hello
ff01 renegotiation_info
ffa5 quic_transport_parameters_draft
ffce encrypted_server_name
`);
