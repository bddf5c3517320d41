# Waits until a server answers as it should; then tells as whom its processes run, and whether its pid file names one of them.
use strict;
use IO::Socket::INET;

my ($port, $ask, $answer, $file) = @ARGV;
$_ = pack("H*", $_) for $ask, $answer;
my $until = time + 150;
my $got = "";
while (index($got, $answer) < 0) {
    if (time > $until) {
        print "answer=", unpack("H*", substr($got, 0, 500)), "\n";
        exit 1;
    }
    sleep 1;
    my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 20) or next;
    $got = "";
    eval {
        local $SIG{ALRM} = sub { die };
        alarm 30;
        syswrite $server, $ask if length $ask;
        while (index($got, $answer) < 0 && sysread($server, my $part, 4096)) { $got .= $part; }
    };
    alarm 0;
}
my %users;
for my $path (glob "/proc/[0-9]*/status") {
    open my $status, "<", $path or next;
    for (<$status>) { $users{$1} = 1 if /^Uid:\s+(\d+)/; }
}
print "users=", join(",", sort keys %users), "\n";
if (length $file) {
    # Some write it after they answer.
    for (1 .. 10) { last if -s $file; sleep 1; }
    open my $pid, "<", $file or die "pid file: $!";
    my ($number) = <$pid> =~ /(\d+)/;
    print "pid=", (-d "/proc/$number" ? "lives" : "$number is nobody"), "\n";
}
