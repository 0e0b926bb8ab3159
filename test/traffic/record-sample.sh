#!/usr/bin/env bash
# Records a capture like examples/sni/sample.pcap: real clients and servers (nginx, curl, openssl, dnsmasq, dig, sshd, ssh) on a
# veth pair between two network namespaces. Needs root. Usage: record-sample.sh OUT.pcap
set -eu
out=$1
work=$(mktemp -d)
cleanup() { kill $(jobs -p) 2>/dev/null || true; ip netns del iris-client 2>/dev/null || true; ip netns del iris-server 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
ip netns add iris-client; ip netns add iris-server
ip link add veth-c netns iris-client type veth peer name veth-s netns iris-server
ip -n iris-client addr add 192.0.2.10/24 dev veth-c; ip -n iris-server addr add 192.0.2.1/24 dev veth-s
ip -n iris-client addr add 2001:db8::10/64 dev veth-c nodad; ip -n iris-server addr add 2001:db8::1/64 dev veth-s nodad
for n in client server; do ip -n iris-$n link set lo up; done
ip -n iris-client link set veth-c up; ip -n iris-server link set veth-s up
ip netns exec iris-client ethtool -K veth-c tso off gso off gro off tx off >/dev/null; ip netns exec iris-server ethtool -K veth-s tso off gso off gro off tx off >/dev/null
S="ip netns exec iris-server"; C="ip netns exec iris-client"
cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 3650 -subj "/O=Example/CN=www.example.org" -addext "subjectAltName=DNS:www.example.org,DNS:*.example.org" 2>/dev/null
mkdir www; head -c 20000 /dev/zero | tr '\0' 'x' > www/page.html; echo '<h1>hello</h1>' > www/index.html
cat > nginx.conf <<N
daemon off; pid $work/nginx.pid; error_log $work/nginx.err; user root;
events {}
http { access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
 server { listen 80; listen [::]:80; listen 443 ssl http2; listen [::]:443 ssl http2; listen 8443 ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; root $work/www; } }
N
$S nginx -c "$work/nginx.conf" &
$S dnsmasq -k -C /dev/null --no-resolv --no-hosts --log-facility="$work/dns.log" --address=/www.example.org/192.0.2.1 --address=/www.example.org/2001:db8::1 --address=/api.example.org/192.0.2.1 --txt-record=example.org,"v=spf1 -all" --mx-host=example.org,mail.example.org,10 --user=root &
ssh-keygen -q -t ed25519 -N '' -f hostkey; mkdir -p /run/sshd
$S /usr/sbin/sshd -D -e -f /dev/null -h "$work/hostkey" -o PidFile=none -o UsePAM=no -p 22 2>/dev/null &
$S openssl s_server -accept 9443 -cert cert.pem -key key.pem -quiet -www -tls1_2 >/dev/null 2>&1 &
$C tcpdump -i veth-c -U -s 0 -w "$work/all.pcap" 2>/dev/null &
sleep 1.5
R="--resolve www.example.org:443:192.0.2.1 --resolve api.example.org:443:192.0.2.1 --resolve www.example.org:8443:192.0.2.1 --resolve static.example.org:8443:192.0.2.1"
$C dig @192.0.2.1 www.example.org A +tries=1 >/dev/null
$C dig @192.0.2.1 www.example.org AAAA +tries=1 >/dev/null
$C dig @192.0.2.1 example.org MX +tries=1 >/dev/null
$C dig @192.0.2.1 example.org TXT +tcp +tries=1 >/dev/null
$C dig @192.0.2.1 nowhere.invalid A +tries=1 >/dev/null || true
$C dig @2001:db8::1 www.example.org AAAA +tries=1 >/dev/null
$C curl -sk --http2 $R https://www.example.org/ >/dev/null
$C curl -sk --http1.1 --tls-max 1.2 $R https://api.example.org/page.html >/dev/null
$C curl -sk --http1.1 $R https://static.example.org:8443/page.html >/dev/null
$C curl -sk -6 --resolve "www.example.org:443:[2001:db8::1]" https://www.example.org/page.html >/dev/null
$C curl -s --resolve www.example.org:80:192.0.2.1 http://www.example.org/ http://www.example.org/page.html http://www.example.org/missing >/dev/null
$C curl -s -A 'Mozilla/5.0 (sample)' -d 'a=1&b=2' --resolve www.example.org:80:192.0.2.1 http://www.example.org/form >/dev/null || true
echo Q | $C openssl s_client -connect 192.0.2.1:9443 -servername video.example.org -alpn h2,http/1.1 >/dev/null 2>&1 || true
echo Q | $C openssl s_client -connect 192.0.2.1:443 -noservername >/dev/null 2>&1 || true
$C ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null nobody@192.0.2.1 true >/dev/null 2>&1 || true
$C curl -s --max-time 1 http://192.0.2.1:81/ >/dev/null || true
sleep 1
kill %6 2>/dev/null || true
sleep 0.5
cp all.pcap "$out"
