%% Runs the workloads of package work on BEAM: bare processes where they are
%% spawned and sent to, gen_servers where they are called and supervised.
%%
%%   erl -noshell +P 4000000 -s workloads main -extra WORKLOAD N K SECONDS
%%
%% Rows go to standard output, one line of JSON each; what stands in the way to
%% standard error, with exit code 1.
-module(workloads).
-export([main/0, init/1, start_child/3]).
-export([mortal/1, idler/1, receiver/2, sender/2, second/1, spinner/0, blocker/2]).

main() ->
    [W, N, K, Seconds] = init:get_plain_arguments(),
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    Limit = list_to_integer(Seconds) * 1000,
    timer:apply_after(Limit, erlang, apply, [fun() -> fail("did not finish within ~w s", [Limit div 1000]) end, []]),
    put(until, erlang:monotonic_time(millisecond) + Limit * 8 div 10),
    try run(W, list_to_integer(N), list_to_integer(K)) of
        _ -> halt(0)
    catch
        _:Reason:Stack -> fail("~0p ~0p", [Reason, Stack])
    end.

fail(Format, Args) ->
    io:format(standard_error, Format ++ "~n", Args),
    halt(1).

%% Rows.

row(Name, Value) -> row(Name, Value, []).

row(Name, Value, More) ->
    io:format("{\"row\":\"~s\",\"value\":~w~s}~n", [Name, float(Value), [[$,, field(F)] || F <- More]]).

field({detail, Key, Value}) -> io_lib:format("\"detail\":{\"~s\":~w}", [Key, float(Value)]);
field({Key, Text}) -> io_lib:format("\"~s\":\"~s\"", [Key, Text]).

failed(Name, Format, Args) -> row(Name, 0, [{failed, lists:flatten(io_lib:format(Format, Args))}]).

now_ns() -> erlang:monotonic_time(nanosecond).

percentile(Sorted, P) ->
    N = length(Sorted),
    lists:nth(min(N * P div 100 + 1, N), Sorted).

%% What a wait gives up with is that the count was not reached.
count(_, 0) -> ok;
count(Msg, N) ->
    Left = max(0, get(until) - erlang:monotonic_time(millisecond)),
    receive Msg -> count(Msg, N - 1) after Left -> {missing, N} end.

counted(Row, What, N, Result, Value) ->
    case Result of
        ok -> row(Row, Value);
        {missing, M} -> failed(Row, "~w of ~w ~s", [N - M, N, What])
    end.

%% Workloads.

run("spawn", N, _) ->
    Me = self(), T0 = now_ns(),
    Ps = [spawn(?MODULE, mortal, [Me]) || _ <- lists:seq(1, N)],
    T1 = now_ns(),
    [P ! stop || P <- Ps],
    R = count(ended, N), T2 = now_ns(),
    row("spawn", (T1 - T0) / N),
    counted("spawn+stop", "ended", N, R, (T2 - T0) / N);
run("idle", N, _) ->
    erlang:garbage_collect(),
    Me = self(), Before = erlang:memory(total),
    Ps = [spawn(?MODULE, idler, [Me]) || _ <- lists:seq(1, N)],
    timer:sleep(100),
    After = erlang:memory(total),
    [P ! ping || P <- Ps],
    counted("idle", "answered", N, count(alive, N), (After - Before) / N);
run("send 1-1", _, K) -> send("send 1-1", 1, 1, K);
run("send 2-1", _, K) -> send("send 2-1", 2, 1, K);
run("send 2-8", _, K) -> send("send 2-8", 2, 8, K);
run("call", _, K) ->
    L = calls(K),
    row("call p50", percentile(L, 50)),
    row("call p99", percentile(L, 99));
run("spin", _, K) ->
    Spinners = [spawn(?MODULE, spinner, []) || _ <- lists:seq(1, erlang:system_info(schedulers_online))],
    L = calls(K),
    [exit(P, kill) || P <- Spinners],
    row("spin", lists:sum(L) / K / 1000, [{detail, "p99", percentile(L, 99) / 1000}]);
run("pingpong", N, K) -> play("pingpong", N, K, 0);
run("deep", N, K) -> play("deep", N, K, 300);
run("block", N, K) ->
    Me = self(),
    Ps = [spawn(?MODULE, blocker, [Me, K]) || _ <- lists:seq(1, N)],
    T0 = now_ns(),
    [P ! go || P <- Ps],
    R = count(back, N),
    counted("block", "came back", N, R, (now_ns() - T0) / 1.0e6);
run("restart", N, K) -> restart("restart", N, K);
run("restart many", N, K) -> restart("restart many", N, K);
run("burst", N, K) ->
    {S, Up} = nursery(N),
    T0 = now_ns(),
    [gen_server:cast(maps:get(I, Up), crash) || I <- lists:seq(1, K)],
    Back = births(K, Up),
    T1 = now_ns(),
    [begin P ! {probe, self()}, receive probed -> ok end end || P <- maps:values(Back)],
    row("burst", (T1 - T0) / 1000 / K),
    stop(S);
run("tree", N, _) ->
    F = forest(N),
    T0 = now_ns(), S = start_tree(F), T1 = now_ns(),
    row("tree start", (T1 - T0) / N),
    timer:sleep(50),
    Took = stop_tree(S),
    ended("tree stop", F, Took / N);
run("million", N, _) ->
    erlang:garbage_collect(),
    Me = self(), Before = resident(),
    Ps = [spawn(?MODULE, idler, [Me]) || _ <- lists:seq(1, N)],
    timer:sleep(100),
    After = resident(),
    [P ! ping || P <- Ps],
    counted("million", "answered", N, count(alive, N), (After - Before) / 1.0e6);
run("million tree", N, _) ->
    Before = resident(),
    F = forest(N),
    T0 = now_ns(), S = start_tree(F), T1 = now_ns(),
    erlang:garbage_collect(),
    row("million tree", (resident() - Before) / 1.0e6, [{detail, "start s", (T1 - T0) / 1.0e9}]),
    Took = stop_tree(S),
    ended("million stop", F, Took / 1.0e9);
run("monitor", N, _) ->
    Me = self(), On = spawn(fun() -> receive stop -> ok end end),
    [spawn(fun() ->
        R = erlang:monitor(process, On), Me ! set,
        receive {'DOWN', R, _, _, _} -> Me ! told end
     end) || _ <- lists:seq(1, N)],
    ok = count(set, N),
    timer:sleep(20),
    T0 = now_ns(), On ! stop,
    R = count(told, N),
    counted("monitor", "were told", N, R, (now_ns() - T0) / N);
run("name", N, K) ->
    Me = self(), G = erlang:system_info(schedulers_online),
    Names = list_to_tuple([list_to_atom("name" ++ integer_to_list(I)) || I <- lists:seq(1, N)]),
    T0 = now_ns(),
    [spawn(fun() ->
        [register(element(I, Names), spawn(?MODULE, idler, [Me])) || I <- lists:seq(J, N, G)],
        Me ! done
     end) || J <- lists:seq(1, G)],
    ok = count(done, G),
    row("name", (now_ns() - T0) / N),
    T1 = now_ns(),
    [spawn(fun() -> Me ! {missed, look(K, J * 7919, N, Names, 0)} end) || J <- lists:seq(1, G)],
    Missed = lists:sum([receive {missed, M} -> M end || _ <- lists:seq(1, G)]),
    T2 = now_ns(),
    case Missed of
        0 -> row("lookup", (T2 - T1) / (G * K));
        _ -> failed("lookup", "~w of ~w not found", [Missed, G * K])
    end;
run("timer", N, K) ->
    Me = self(),
    spawn(fun() ->
        Waits = [K + rand:uniform(K) - 1 || _ <- lists:seq(1, N)],
        Self = self(), T0 = now_ns(),
        [erlang:send_after(D, Self, {due, now_ns() + D * 1000000}) || D <- Waits],
        T1 = now_ns(),
        L = [receive {due, At} -> now_ns() - At after 2 * K + 3000 -> lost end || _ <- lists:seq(1, N)],
        Me ! {late, T1 - T0, L}
    end),
    {Took, L} = receive {late, T, Ls} -> {T, Ls} end,
    Lost = length([lost || lost <- L]), Early = length([X || X <- L, is_integer(X), X < 0]),
    if
        Lost > 0 -> failed("timer", "~w of ~w timers lost", [Lost, N]);
        Early > 0 -> failed("timer", "~w of ~w came early", [Early, N]);
        true -> row("timer", Took / N, [{detail, "late p99 ms", percentile(lists:sort(L), 99) / 1.0e6}])
    end;
run(W, _, _) -> fail("there is no workload ~p", [W]).

%% Bare processes.

mortal(Me) -> receive stop -> Me ! ended end.
idler(Me) -> receive ping -> Me ! alive, idler(Me) end.

blocker(Me, Ms) -> receive go -> receive nothing -> ok after Ms -> Me ! back end end.

spinner() -> spinner().

send(Row, From, To, K) ->
    Me = self(), Share = K div From div To, N = From * To * Share,
    Rs = [spawn(?MODULE, receiver, [Me, From * Share]) || _ <- lists:seq(1, To)],
    Ss = [spawn(?MODULE, sender, [Rs, To * Share]) || _ <- lists:seq(1, From)],
    T0 = now_ns(),
    [S ! go || S <- Ss],
    case count(done, To) of
        ok -> row(Row, (now_ns() - T0) / N);
        {missing, M} -> failed(Row, "~w of ~w receivers have not got everything", [M, To])
    end.

receiver(Me, 0) -> Me ! done;
receiver(Me, Left) -> receive ping -> receiver(Me, Left - 1) end.

sender(Rs, N) -> receive go -> send_all(Rs, Rs, N) end.

send_all(_, _, 0) -> ok;
send_all(All, [], N) -> send_all(All, All, N);
send_all(All, [R | Rs], N) -> R ! ping, send_all(All, Rs, N - 1).

play(Row, N, K, Depth) ->
    Me = self(),
    Ps = [begin
        Other = spawn(?MODULE, second, [Depth]),
        spawn(fun() -> receive go -> first(Other, K, Depth), Me ! done end end)
    end || _ <- lists:seq(1, N)],
    T0 = now_ns(),
    [P ! go || P <- Ps],
    R = count(done, N),
    counted(Row, "pairs finished", N, R, (now_ns() - T0) / (2 * N * K)).

first(_, 0, _) -> ok;
first(Other, K, Depth) ->
    Other ! {self(), ball},
    receive ball -> deep(Depth), first(Other, K - 1, Depth) end.

second(Depth) -> receive {From, ball} -> deep(Depth), From ! ball, second(Depth) end.

%% Not a tail call: so many frames of 32 bytes, about.
deep(0) -> 0;
deep(N) -> X = N * 3, Y = deep(N - 1), X + Y.

look(0, _, _, _, Missed) -> Missed;
look(K, X, N, Names, Missed) ->
    Y = (X * 1664525 + 1013904223) band 16#FFFFFFFF,
    case whereis(element((Y bsr 8) rem N + 1, Names)) of
        P when is_pid(P) -> look(K - 1, Y, N, Names, Missed);
        undefined -> look(K - 1, Y, N, Names, Missed + 1)
    end.

calls(K) ->
    Me = self(), {ok, Server} = gen_server:start(workloads_server, none, []),
    spawn(fun() -> Me ! {took, [begin
        T = now_ns(), ping = gen_server:call(Server, ping), now_ns() - T
    end || _ <- lists:seq(1, K)]} end),
    receive {took, L} -> lists:sort(L) end.

%% Children and trees.

init({children, Start, N}) ->
    {ok, {#{intensity => 1000000, period => 1},
        [#{id => I, start => {?MODULE, start_child, [Start, I, self()]}} || I <- lists:seq(1, N)]}};
init({supervisors, N, Below}) ->
    {ok, {#{}, [#{id => I, type => supervisor, shutdown => infinity,
        start => {supervisor, start_link, [?MODULE, Below(I)]}} || I <- lists:seq(1, N)]}}.

start_child(Start, I, _Supervisor) -> gen_server:start_link(workloads_server, Start(I), []).

stop(S) -> exit(S, shutdown), receive {'EXIT', S, shutdown} -> ok end.

nursery(N) ->
    Me = self(),
    {ok, S} = supervisor:start_link(?MODULE, {children, fun(I) -> {child, I, Me} end, N}),
    {S, births(N, #{})}.

births(0, Up) -> Up;
births(K, Up) -> receive {up, I, P} -> births(K - 1, Up#{I => P}) end.

restart(Row, N, K) ->
    {S, Up} = nursery(N),
    {_, L} = lists:foldl(fun(_, {Up1, L1}) ->
        I = rand:uniform(N), T = now_ns(),
        gen_server:cast(maps:get(I, Up1), crash),
        P = receive {up, I, New} -> New end,
        P ! {probe, self()}, receive probed -> ok end,
        Took = now_ns() - T,
        {Up1#{I := P}, [Took | L1]}
    end, {Up, []}, lists:seq(1, K)),
    Sorted = lists:sort(L),
    row(Row, percentile(Sorted, 50) / 1000, [{detail, "p99", percentile(Sorted, 99) / 1000}]),
    stop(S).

%% A forest is how many workers there are, and who ended as which.
forest(N) -> {N, counters:new(1, [atomics]), atomics:new(1, []), atomics:new(N, [])}.

start_tree({N, Up, Ended, Order}) ->
    W = N div 100,
    Leaf = fun(From) -> {children, fun(I) -> {worker, From + I, Up, Ended, Order} end, W} end,
    {ok, S} = supervisor:start_link(?MODULE, {supervisors, 10, fun(A) ->
        {supervisors, 10, fun(B) -> Leaf(((A - 1) * 10 + B - 1) * W) end} end}),
    N = counters:get(Up, 1),
    S.

stop_tree(S) -> T = now_ns(), stop(S), now_ns() - T.

ended(Row, {N, _, Ended, Order}, Value) ->
    case atomics:get(Ended, 1) of
        N ->
            Back = length([K || K <- lists:seq(2, N), atomics:get(Order, K) < atomics:get(Order, K - 1)]),
            if
                Back =:= N - 1 -> row(Row, Value);
                true -> row(Row, Value, [{lesser, io_lib:format("not in reverse order: ~w % of steps were", [100 * Back div (N - 1)])}])
            end;
        M -> row(Row, Value, [{lesser, io_lib:format("only ~w of ~w had ended when the stop returned", [M, N])}])
    end.

%% What the whole program occupies: the second field of /proc/self/statm, in pages.
resident() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    binary_to_integer(lists:nth(2, binary:split(Text, <<" ">>, [global]))) * 4096.
