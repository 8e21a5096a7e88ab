%% Records many scenarios in one run of Erlang, which takes longer to start than
%% most of them take. It reads lines "SCENARIO LOG" and answers each with a line,
%% "ok" or what went wrong, once the log is written.
%%
%% Each scenario is played by the recorder's own code, in a process of its own
%% that owns all its tables; whatever is left when it is done is killed.
%% Scenarios of kind app end the whole system: each has one of its own, which
%% was started ahead of time (once/0) and answers by its end.
-module(oracle_live).
-export([main/0, once/0]).

main() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            [In, Out] = string:lexemes(Line, " \n"),
            io:format("~0p~n", [record(In, Out)]),
            main();
        _ -> halt(0)
    end.

once() ->
    case io:get_line("") of
        Line when is_list(Line) -> oracle:main(string:lexemes(Line, " \n"));
        _ -> halt(0)
    end.

record(In, Out) ->
    Before = processes(),
    {_, Ref} = spawn_monitor(fun() -> play(In, Out) end),
    receive {'DOWN', Ref, process, _, Why} -> ok end,
    clear(Before),
    case Why of normal -> ok; _ -> Why end.

clear(Before) ->
    Left = processes() -- Before,
    Refs = [begin R = monitor(process, P), exit(P, kill), R end || P <- Left],
    [receive {'DOWN', R, _, _, _} -> ok end || R <- Refs],
    case Left of [] -> ok; _ -> clear(Before) end.

%% oracle:main/1, but that it returns.
play(In, Out) ->
    {ok, Text} = file:read_file(In),
    Sc = #{<<"kind">> := Kind, <<"name">> := Name} = oracle_json:dec(Text),
    oracle_lib:setup(),
    ets:insert(oracle_misc, [{out, Out}, {lines, []}, {dead, #{}}, {kind, Kind}]),
    oracle:emit([{ev, <<"scenario">>}, {kind, Kind}, {name, Name}]),
    case Kind of
        <<"sup">> -> sup(Sc);
        <<"statem">> -> oracle_fsm:run(Sc);
        <<"server">> -> oracle_fsm:run(Sc);
        <<"signals">> -> oracle_sig:run(Sc);
        _ -> oracle_multi:run(Sc)
    end,
    [{_, Lines}] = ets:lookup(oracle_misc, lines),
    ok = file:write_file(Out, [[L, $\n] || L <- lists:reverse(Lines)]).

sup(#{<<"tree">> := Tree, <<"steps">> := Steps}) ->
    Root = spawn(fun() -> process_flag(trap_exit, true), oracle:root_loop(none) end),
    oracle_lib:trace(Root),
    ets:insert(oracle_misc, {root, Root}),
    oracle:step(0, <<"start">>, sup, fun() -> Root ! {start, 0, Tree} end),
    oracle:steps(Steps, 1, sup, fun oracle:sup_op/2),
    oracle:end_event().
