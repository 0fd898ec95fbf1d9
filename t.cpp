#include <coroutine>
#include <cstdio>
#include <exception>
struct P;
struct C { using promise_type=P; std::coroutine_handle<P> h; };
struct P {
  const char* fn; const char* file; int line=0;
  C get_return_object();
  std::suspend_always initial_suspend(const char* f=__builtin_FUNCTION(), const char* fl=__builtin_FILE(), int l=__builtin_LINE()) noexcept { fn=f; file=fl; line=l; return {}; }
  std::suspend_always final_suspend() noexcept { return {}; }
  void return_void(){} void unhandled_exception(){}
  template<class A> A&& await_transform(A&& a, int l=__builtin_LINE()) noexcept { line=l; return static_cast<A&&>(a);}
};
C P::get_return_object(){ return {std::coroutine_handle<P>::from_promise(*this)}; }
C hello(int x)
{
  co_await std::suspend_always{};

  co_await std::suspend_always{};
}
struct S { C member(int) { co_await std::suspend_always{}; } };
int main(){ auto c=hello(1); auto&p=c.h.promise(); printf("%s %s %d\n",p.fn,p.file,p.line); c.h.resume(); printf("%d\n",p.line); c.h.resume(); printf("%d\n",p.line);
 auto l=[]()->C{ co_await std::suspend_always{}; }(); printf("%s %d\n", l.h.promise().fn, l.h.promise().line);
 S s; auto m=s.member(1); printf("%s %d\n", m.h.promise().fn, m.h.promise().line);}
